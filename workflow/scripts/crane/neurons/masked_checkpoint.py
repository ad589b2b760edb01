"""A masked model as an ordinary checkpoint: what any engine loads without knowing of masks."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import AutoModelForCausalLM

from crane.artefacts import atomic_folder, write_json
from crane.models.folders import WEIGHTS, ModelError, check_tokenizer, file_hashes
from crane.neurons.interventions import masked
from crane.neurons.neuron_set import NeuronSet

NOT_COPIED = (".*", "manifest.json", "config.json", "generation_config.json", "*.index.json", *WEIGHTS)
"""Written anew with the weights, or the source's own."""


def export_masked(
    source: str | Path,
    target: str | Path,
    neurons: NeuronSet,
    language: str,
    about: Mapping[str, Any],
    scale: float = 0.0,
) -> dict[str, Any]:
    """Write a model with one language's neurons masked for good, as safetensors, with tokenizer and manifest.

    The neurons' columns of the down projection are multiplied by `scale`, 0 for a mask (method, section 6), all other
    weights are the source's, in its precision; the folder loads wherever the source does, transformers and vLLM among
    them.

    Args:
        source: a Hugging Face model folder.
        target: folder to write; whole or not at all.
        neurons: the mask set.
        language: whose neurons are masked.
        about: what the manifest says of the source and the mask set.
        scale: factor of the neurons' outputs.

    Returns:
        The manifest.

    Raises:
        ModelError: the source has no readable model or no tokenizer, or the masks do not fit it.
    """
    source, target = Path(source), Path(target)
    check_tokenizer(source)
    try:
        model = AutoModelForCausalLM.from_pretrained(source, dtype="auto")
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"{source}: no readable model ({error})") from error
    with atomic_folder(target) as partial:
        try:
            with masked(model, neurons, language, scale=scale):
                model.save_pretrained(partial)
        except (KeyError, ValueError) as error:
            raise ModelError(f"{source}: cannot be masked ({error.args[0]})") from error
        for path in sorted(source.iterdir()):
            if path.is_file() and not any(path.match(pattern) for pattern in NOT_COPIED):
                shutil.copyfile(path, partial / path.name)
        manifest = {
            **about,
            "masked": {
                "language": language,
                "site": neurons.site,
                "neurons": neurons.total(language),
                "scale": scale,
            },
            "sha256": file_hashes(partial),
        }
        write_json(manifest, partial / "manifest.json")
    return manifest
