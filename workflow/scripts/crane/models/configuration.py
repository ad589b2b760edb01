"""The configuration of a model folder: read without running code of the folder, and compared with the study."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from crane.artefacts import read_json
from crane.models.errors import ModelError, reason
from crane.models.families import (
    FAMILIES,
    UnsupportedModelError,
    family_of,
    groups_of,
    neurons_per_layer,
    positions,
)
from crane.models.fetched import check_fetched

CONFIG, GENERATION = "config.json", "generation_config.json"
_QUANTISED = ("quantization_config", "compression_config")
_QUANTISED_FILES = ("hf_quant_config.json", "quantize_config.json", "quant_config.json")
"""Written beside the weights by tools that do not mention it in config.json: ModelOpt, AutoGPTQ, AutoAWQ."""


def read_config(folder: str | Path) -> Any:
    """Return the configuration of a model folder, as transformers reads it.

    Raises:
        ModelError: config.json is missing or cannot be read, the model is quantised, or it
            is defined by code of the folder, which is never run.
        UnsupportedModelError: the model's family is unknown.
    """
    folder = Path(folder)
    if not (folder / CONFIG).exists():
        raise ModelError(f"{folder}: no {CONFIG}; a Hugging Face model folder is needed")
    check_fetched(folder, [folder / CONFIG])
    _check_stated(folder, _stated(folder))
    # Imported here, because it takes seconds, and who asks for positions alone seldom needs it.
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # transformers raises many kinds; each means the same to the user
        raise ModelError(f"{folder}: no readable {CONFIG} ({reason(error)})") from error
    family_of(config)
    return config


def _stated(folder: Path) -> dict[str, Any]:
    """Return what config.json says."""
    try:
        stated = json.loads((folder / CONFIG).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}: no readable {CONFIG} ({reason(error)})") from error
    if not isinstance(stated, dict) or not isinstance(stated.get("model_type"), str):
        raise ModelError(f"{folder}: no readable {CONFIG} (it states no model_type)")
    return stated


def stated_positions(folder: str | Path) -> int | None:
    """Return the number of positions of a model, or None if it has no limit; the folder has been checked.

    Raises:
        ModelError: as of `read_config`.
    """
    stated = _stated(Path(folder)).get("max_position_embeddings")
    return stated if isinstance(stated, int) else positions(read_config(folder))


def _check_stated(folder: Path, stated: dict[str, Any]) -> None:
    """Refuse what config.json asks for and the workflow does not do, before transformers acts on it."""
    if "auto_map" in stated:
        raise ModelError(
            f"{folder}: {CONFIG} names code of the folder (auto_map), which is never run; if the model is an ordinary "
            f"one of {', '.join(sorted(FAMILIES))}, state its model_type and remove auto_map"
        )
    if stated["model_type"] not in FAMILIES:
        raise UnsupportedModelError(
            f"{folder}: model type {stated['model_type']!r} is not supported; supported: "
            f"{', '.join(sorted(FAMILIES))}"
        )
    if "transformers_weights" in stated:
        raise ModelError(
            f"{folder}: {CONFIG} names a file of weights (transformers_weights), which vLLM ignores; remove the key "
            "and give the file its usual name, model.safetensors"
        )
    for part in (stated, stated.get("text_config")):
        for key in _QUANTISED:
            if isinstance(part, dict) and part.get(key) is not None:
                method = part[key].get("quant_method") if isinstance(part[key], dict) else None
                raise _quantised(folder, f"{CONFIG} has a {key}{f' of {method}' if method else ''}")
    for name in _QUANTISED_FILES:
        if (folder / name).exists():
            raise _quantised(folder, f"{name} is beside the weights")


def _quantised(folder: Path, sign: str) -> ModelError:
    return ModelError(
        f"{folder}: the model is quantised ({sign}), and quantised weights can be neither masked nor attributed; "
        "take the original model in bfloat16, float16 or float32"
    )


def stated_ends(folder: str | Path, config: Any) -> list[int]:
    """Return the tokens that end an answer, as a model folder states them; chat models have several.

    They are all that is taken from generation_config.json: its sampling, penalties and bans would change greedy
    answers, in each engine otherwise.

    Args:
        folder: the model folder.
        config: its configuration, which counts if there is no generation_config.json.

    Raises:
        ModelError: generation_config.json cannot be read, or states other things than tokens.
    """
    path = Path(folder) / GENERATION
    try:
        ends = read_json(path).get("eos_token_id") if path.exists() else config.eos_token_id
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{path}: no readable JSON object ({reason(error)}); download it again, or remove it"
        ) from error
    ends = ends if isinstance(ends, list) else [] if ends is None else [ends]
    if not all(type(token) is int for token in ends):
        raise ModelError(f"{path}: eos_token_id is {ends!r}, not one or several token numbers; correct it")
    return ends


def check_shape(config: Any, name: str, layers: int, intermediate_size: int) -> None:
    """Compare a model's configuration with what the study says.

    Raises:
        ModelError: they differ, says what to write.
    """
    text = config.get_text_config()
    shape = (text.num_hidden_layers, neurons_per_layer(config))
    if shape != (layers, intermediate_size):
        raise ModelError(
            f"model {name!r} has {shape[0]} layers of {shape[1]} neurons, the configuration says {layers} of "
            f"{intermediate_size}; correct models.{name}.layers and models.{name}.intermediate_size"
        )


def check_experts(
    config: Any, name: str, relevance: Mapping[str, Any], measured: Collection[str] = ()
) -> None:
    """Compare a model's experts with the settings of the relevance.

    Args:
        config: the model's configuration.
        name: of the model in the study.
        relevance: the settings.
        measured: what the study measures of neurons besides the moments of relevance.

    Raises:
        ModelError: the router's rule is set and the model has no experts, or they have no neurons at the site, or it
            is not measured of them.
    """
    experts = groups_of(config) is not None
    if not experts and "router" in relevance:
        raise ModelError(f"relevance.router: model {name!r} has no experts; remove it")
    if experts and relevance["site"] == "residual_write":
        raise ModelError(
            f"relevance.site residual_write: the outputs of the experts of model {name!r} are summed, so that no "
            "neuron there belongs to one; set intermediate"
        )
    if experts and measured:
        raise ModelError(
            f"model {name!r} has experts, of whose neurons these are not measured: {', '.join(sorted(measured))}; "
            "remove what asks for them"
        )


def check_gates(config: Any, name: str) -> None:
    """Check that an intervention can change the gates of a model's neurons.

    Raises:
        ModelError: it has MLPs without a gate, or experts, which do not show theirs.
    """
    if groups_of(config) is not None or not family_of(config).gated:
        what = "experts, which do not show" if groups_of(config) is not None else "MLPs without"
        raise ModelError(
            f"an intervention changes gates (site: gate), and model {name!r} has {what} a gate; set site: value"
        )


def check_positions(limit: int | None, name: str, tokens: int, key: str) -> None:
    """Compare the length of samples with the positions of a model that is to read them.

    Args:
        limit: the model's positions, or None if it has no limit.
        name: of the model in the study.
        tokens: length of the samples.
        key: the setting that determines it.

    Raises:
        ModelError: the model has fewer positions.
    """
    if limit is not None and tokens > limit:
        raise ModelError(
            f"samples of {tokens} tokens ({key}): model {name!r} has positions for {limit}; lower it"
        )
