"""The tensors of a model's weights against those of its architecture, as the loader of transformers matches them."""

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING
from transformers.utils import logging

from crane.models.errors import ModelError, reason, some

_BUFFERS = re.compile(r"rotary_emb\.inv_freq$|(^|\.)position_ids$|\.attn\.(masked_)?bias$")
"""Tensors that older versions of transformers saved with the weights and that follow from the configuration."""
_ALONE = threading.Lock()
"""transformers builds a model under a default type of the whole process, so that only one thread may do so."""


class Report(NamedTuple):
    """What a loader finds wrong with the tensors of a model."""

    missing: list[str]
    """Tensors of the architecture that the weights lack; the loader would fill them with random numbers."""
    unexpected: list[str]
    """Tensors of the weights that the architecture lacks; the loader would leave them out."""
    mismatched: list[tuple[str, torch.Size, torch.Size]]
    """Name, shape in the weights and shape in the architecture."""


def report_of(loaded: Mapping[str, Any]) -> Report:
    """Return the report of a loaded model, from what `from_pretrained` returns with `output_loading_info`."""
    return Report(
        sorted(loaded["missing_keys"]),
        sorted(name for name in loaded["unexpected_keys"] if not _BUFFERS.search(name)),
        sorted(loaded["mismatched_keys"]),
    )


def compare(folder: Path, config: Any, tensors: Mapping[str, torch.Tensor]) -> Report:
    """Return what a loader would find wrong with tensors.

    transformers itself loads them into a model on the meta device, which takes no memory. So tied weights, prefixes,
    renamed tensors and buffers count exactly as when the model is loaded.

    Args:
        folder: the model folder, for messages.
        config: its configuration.
        tensors: name -> tensor on the meta device.

    Raises:
        ModelError: no model can be built from the configuration.
    """
    try:
        with _ALONE, _quiet():
            _, loaded = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)].from_pretrained(
                None,
                config=config,
                state_dict=dict(tensors),
                device_map="meta",
                dtype=torch.float32,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                trust_remote_code=False,
            )
    except Exception as error:  # transformers raises many kinds; each means the same to the user
        raise ModelError(
            f"{folder}: config.json describes no model that can be built ({reason(error)})"
        ) from error
    return report_of(loaded)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the loader's own report and progress bar, which nobody waits for."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def check_report(folder: str | Path, config: Any, report: Report) -> None:
    """Raise `ModelError` if a report is not empty; the message names up to five tensors of each kind."""
    mismatched = [f"{name} {list(found)} for {list(needed)}" for name, found, needed in report.mismatched]
    kinds = (
        ("missing", report.missing), ("unexpected", report.unexpected), ("of another shape", mismatched)
    )  # fmt: skip
    wrong = [f"{len(names)} {kind}: {some(names)}" for kind, names in kinds if names]
    if wrong:
        raise ModelError(
            f"{folder}: the tensors are not those of the {config.model_type} that config.json describes: "
            f"{'; '.join(wrong)}; {_advice(report)}"
        )


def _advice(report: Report) -> str:
    prefix = _prefix(report)
    if prefix:
        return f"remove the prefix {prefix!r} from the names of all tensors and save the model again"
    if report.missing == ["lm_head.weight"] and not report.unexpected:
        return (
            "save the output layer too or, if the embedding is also the output layer, set tie_word_embeddings: true in "
            "config.json"
        )
    return "save the whole model again with save_pretrained, or download it and its config.json again"


def _prefix(report: Report) -> str:
    """Return what stands before the name of every unexpected tensor and leaves none missing if removed, or nothing."""
    if not report.missing or not report.unexpected:
        return ""
    first = report.unexpected[0]
    for end in (place + 1 for place, letter in enumerate(first) if letter in "._"):
        prefix = first[:end]
        names = {name.removeprefix(prefix) for name in report.unexpected if name.startswith(prefix)}
        if len(names) == len(report.unexpected) and names.issuperset(report.missing):
            return prefix
    return ""


def check_types(folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Check that weights are floating-point numbers of at least 16 bits.

    Raises:
        ModelError: names up to five that are not, because they are quantised.
    """
    packed = [
        f"{name} ({str(one.dtype).removeprefix('torch.')})"
        for name, one in sorted(tensors.items())
        if not (one.is_floating_point() and one.element_size() >= 2) and not _BUFFERS.search(name)
    ]
    if packed:
        raise ModelError(
            f"{folder}: the model is quantised: {some(packed)}; take the original model in bfloat16, float16 or float32"
        )


def check_names(folder: Path, config: Any, names: Iterable[str]) -> None:
    """Check names alone, as an index gives them, against the architecture.

    Raises:
        ModelError: names are missing or unexpected.
    """
    report = compare(folder, config, {name: torch.empty(0, device="meta") for name in names})
    check_report(folder, config, report._replace(mismatched=[]))
