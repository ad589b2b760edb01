"""A masked model as an ordinary checkpoint, which any engine loads without knowing about masks."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import GenerationConfig

from crane.artefacts import atomic_folder, write_json
from crane.models.errors import ModelError
from crane.models.folders import WEIGHTS
from crane.models.loading import load_model
from crane.models.manifests import file_hashes
from crane.neurons.interventions import masked
from crane.neurons.neuron_set import NeuronSet

NOT_COPIED = (".*", "manifest.json", "config.json", *WEIGHTS)
"""Files written with the weights, and the source's manifest."""


def export_masked(
    source: str | Path,
    target: str | Path,
    neurons: NeuronSet,
    language: str,
    about: Mapping[str, Any],
    scale: float = 0.0,
) -> dict[str, Any]:
    """Write a model with one language's neurons permanently masked, as safetensors, with tokenizer and manifest.

    The neurons' columns of the down projection are multiplied by `scale`, 0 for a mask (method, section 6); all other
    weights are the source's, in its precision. The folder loads wherever the source does, including transformers and
    vLLM.

    Args:
        source: a Hugging Face model folder.
        target: folder to write, atomically.
        neurons: the mask set.
        language: the language whose neurons are masked.
        about: entries of the manifest that describe the source and the mask set.
        scale: factor of the neurons' outputs.

    Returns:
        The manifest.

    Raises:
        ModelError: the source does not hold a whole model (`crane.models.folders.check_whole`), or the masks do not fit
            it.
        UnsupportedModelError: its family is unknown.
    """
    source, target = Path(source), Path(target)
    model = load_model(source, "stored", "cpu")
    # The source's own is copied; transformers refuses to save settings that contradict each other.
    model.generation_config = GenerationConfig.from_model_config(model.config)
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
