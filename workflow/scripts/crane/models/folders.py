"""Model folders: linked from the user's disk, checked, loaded."""

import hashlib
import json
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from crane.artefacts import atomic_folder, read_json, sha256, write_json
from crane.errors import CraneError
from crane.models.architectures import family_of, positions

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


class ModelError(CraneError, ValueError):
    """A model folder cannot be used."""


def check_tokenizer(folder: Path) -> None:
    """Raise `ModelError` if a model folder has no tokenizer; transformers would guess one."""
    if not any((folder / name).exists() for name in TOKENIZERS):
        raise ModelError(f"{folder}: no tokenizer ({', '.join(TOKENIZERS)}); save it beside the weights")


def read_config(folder: Path) -> Any:
    """Return the configuration of a model folder.

    Raises:
        ModelError: config.json cannot be read.
    """
    try:
        return AutoConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}: no readable config.json ({error})") from error


def check_config(folder: Path, name: str, layers: int, intermediate_size: int) -> Any:
    """Compare a folder's config.json with what the study says of the model, and return it.

    Raises:
        ModelError: they differ, says what to write; or config.json cannot be read.
        UnsupportedModelError: the model's family is unknown.
    """
    config = read_config(folder)
    family_of(config)
    check_shape(config, name, layers, intermediate_size)
    return config


def check_positions(config: Any, name: str, tokens: int, key: str) -> None:
    """Compare the length of samples with the positions of a model that is to read them.

    Args:
        config: the model's configuration.
        name: of the model in the study.
        tokens: length of the samples.
        key: the setting that determines it.

    Raises:
        ModelError: the model has fewer positions.
    """
    limit = positions(config)
    if limit is not None and tokens > limit:
        raise ModelError(
            f"samples of {tokens} tokens ({key}): model {name!r} has positions for {limit}; lower it"
        )


def check_shape(config: Any, name: str, layers: int, intermediate_size: int) -> None:
    """Compare a model's configuration with what the study says.

    Raises:
        ModelError: they differ, says what to write.
    """
    text = config.get_text_config()
    shape = (
        text.num_hidden_layers,
        getattr(text, "intermediate_size", None) or text.n_inner or 4 * text.n_embd,
    )
    if shape != (layers, intermediate_size):
        raise ModelError(
            f"model {name!r} has {shape[0]} layers of {shape[1]} neurons, the configuration says {layers} of "
            f"{intermediate_size}; correct models.{name}.layers and models.{name}.intermediate_size"
        )


def check_folder(source: Path, name: str, layers: int, intermediate_size: int) -> Any:
    """Check that a folder holds a whole model of the shape that the study says, and return its configuration.

    Raises:
        ModelError: the folder is missing, has no readable config.json, no weights or tokenizer, or the model has
            another shape.
        UnsupportedModelError: the model's family is unknown.
    """
    if not source.is_dir():
        raise ModelError(f"{source}: no such model folder (models.<name>.path)")
    if not (source / "config.json").exists():
        raise ModelError(f"{source}: no config.json; a Hugging Face model folder is needed")
    if not any(list(source.glob(pattern)) for pattern in WEIGHTS):
        raise ModelError(f"{source}: no weights ({' or '.join(WEIGHTS)})")
    check_tokenizer(source)
    return check_config(source, name, layers, intermediate_size)


def link_folder(source: Path, target: Path, name: str, layers: int, intermediate_size: int) -> dict[str, Any]:
    """Link every file of a Hugging Face model folder into `target` and write its `manifest.json`.

    Raises:
        ModelError: as of `check_folder`.
    """
    check_folder(source, name, layers, intermediate_size)
    files = sorted(path for path in source.iterdir() if path.is_file() and path.name != "manifest.json")
    manifest = {"source": str(source.resolve()), "sha256": {path.name: sha256(path) for path in files}}
    with atomic_folder(target) as partial:
        for path in files:
            (partial / path.name).symlink_to(path.resolve())
        write_json(manifest, partial / "manifest.json")
    return manifest


def identity(folder: str | Path) -> dict[str, Any]:
    """Return what identifies a model in the metadata of results: its manifest without the training's course."""
    manifest = read_json(Path(folder) / "manifest.json")
    keys = ("source", "revision", "commit", "sha256", "settings")
    return {key: manifest[key] for key in keys if key in manifest}


def file_hashes(folder: Path) -> dict[str, str]:
    """Return name -> sha256 of the files of a folder; its manifest and hidden files are left out."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return {
        path.name: sha256(path)
        for path in files
        if path.name != "manifest.json" and not path.name.startswith(".")
    }


def weights_identity(folder: str | Path) -> str:
    """Return a hash of what a model computes: of its configuration, weights and tokenizer, by the manifest's hashes."""
    hashes = read_json(Path(folder) / "manifest.json")["sha256"]
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()
