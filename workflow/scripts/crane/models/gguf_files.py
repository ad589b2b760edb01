"""Models given as one GGUF file: dequantised once into a Hugging Face folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from crane.artefacts import atomic_folder, read_json, sha256, write_json
from crane.models.configuration import check_shape
from crane.models.errors import ModelError, reason, some
from crane.models.families import family_of
from crane.models.fetched import check_fetched
from crane.models.folders import check_whole
from crane.models.manifests import file_hashes

IGNORED = ("rope_freqs.weight",)
"""Tensors of a GGUF file that repeat what its metadata says."""


UNREADABLE = (OSError, ValueError, KeyError, NotImplementedError, IndexError)
"""What transformers and gguf raise on a file that they cannot read."""


def check_gguf(source: Path, name: str, layers: int, intermediate_size: int) -> Any:
    """Check what a GGUF file says of its model, and return it as a configuration of transformers.

    Raises:
        ModelError: the file is missing, a git-LFS pointer or no readable GGUF file, or its model has another shape.
        UnsupportedModelError: the model's family is unknown.
    """
    if not source.is_file():
        raise ModelError(f"{source}: no such GGUF file (models.<name>.path)")
    check_fetched(source.parent, [source])
    try:
        config = AutoConfig.from_pretrained(source.parent, gguf_file=source.name, trust_remote_code=False)
    except UNREADABLE as error:
        raise _unreadable(source, error) from error
    family_of(config)
    check_shape(config, name, layers, intermediate_size)
    return config


def _unreadable(source: Path, error: Exception) -> ModelError:
    return ModelError(f"{source}: not a readable GGUF file of a supported model ({reason(error)})")


def dequantise(source: Path, target: Path, name: str, layers: int, intermediate_size: int) -> dict[str, Any]:
    """Write the model of a GGUF file as a Hugging Face folder in float32, with tokenizer and `manifest.json`.

    transformers reads the file; what it cannot place is refused, where it would leave it out.

    Args:
        source: the file.
        target: the folder, written atomically.
        name: of the model in the study, for messages.
        layers: that the study says.
        intermediate_size: likewise.

    Returns:
        The manifest: source, what was done, SHA-256 of the source and of every file written.

    Raises:
        ModelError: as of `check_gguf`; or tensors are missing, or have no place in the model.
        UnsupportedModelError: the model's family is unknown.
    """
    from gguf import GGUFReader

    config = check_gguf(source, name, layers, intermediate_size)
    where: dict[str, Any] = {"gguf_file": source.name, "trust_remote_code": False}
    try:
        reader = GGUFReader(source)
        quantised, report = AutoModelForCausalLM.from_pretrained(
            source.parent, dtype=torch.float32, output_loading_info=True, **where
        )
        tokenizer = AutoTokenizer.from_pretrained(source.parent, **where)
    except UNREADABLE as error:
        raise _unreadable(source, error) from error
    _check_tensors(source, reader, quantised, report)
    kinds = sorted({tensor.tensor_type.name for tensor in reader.tensors})
    # Saved as it is, the model would still count as quantised.
    config = type(config).from_dict(
        {key: value for key, value in config.to_dict().items() if key != "quantization_config"}
    )
    model = type(quantised)(config).to(torch.float32)
    model.load_state_dict(quantised.state_dict())
    model.tie_weights()
    with atomic_folder(target) as partial:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        _drop_invented(partial / "tokenizer.json", config.get_text_config().vocab_size)
        check_whole(partial)
        manifest = {
            "source": str(source.resolve()),
            "dequantised": {"from": kinds, "to": "float32", "sha256": sha256(source)},
            "sha256": file_hashes(partial),
        }
        write_json(manifest, partial / "manifest.json")
    return manifest


def _drop_invented(path: Path, rows: int) -> None:
    """Remove the tokens that the conversion appends to a vocabulary: the model's embedding has no rows for them.

    transformers 5.19 gives every tokenizer of GPT-2's kind an `<|endoftext|>`, also one that has none.
    """
    stated = read_json(path)
    stated["added_tokens"] = [token for token in stated["added_tokens"] if token["id"] < rows]
    write_json(stated, path)


def _check_tensors(source: Path, reader: Any, model: Any, report: Mapping[str, Any]) -> None:
    """Refuse a file that lacks tensors of the architecture, or has others.

    Raises:
        ModelError: names up to five of them.
    """
    tied = set(getattr(model, "all_tied_weights_keys", None) or ())
    missing = sorted(set(report["missing_keys"]) - tied)
    with torch.device("meta"):
        expected = {key: value.shape for key, value in type(model)(model.config).state_dict().items()}
    mismatched = sorted(key for key, value in model.state_dict().items() if value.shape != expected[key])
    weights = sum(1 for key in model.state_dict() if key not in tied)
    tensors = [tensor.name for tensor in reader.tensors if tensor.name not in IGNORED]
    surplus = len(tensors) - (weights - len(missing))
    for what, names in [("missing", missing), ("of another shape", mismatched)]:
        if names:
            raise ModelError(f"{source}: tensors {what}: {some(names)}")
    if surplus > 0:
        raise ModelError(
            f"{source}: {surplus} of its {len(tensors)} tensors have no place in a {model.config.model_type}: it is "
            "another architecture than it says"
        )
