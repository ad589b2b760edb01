"""Model folders: linked from the user's disk, with a manifest of what they hold."""

import hashlib
from pathlib import Path
from typing import Any

from crane.artefacts import whole_folder, write_json
from crane.errors import CraneError

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


class ModelError(CraneError, ValueError):
    """A model folder cannot be used."""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_tokenizer(folder: Path) -> None:
    """Raise `ModelError` where a model folder has no tokenizer: transformers would guess one."""
    if not any((folder / name).exists() for name in TOKENIZERS):
        raise ModelError(f"{folder}: no tokenizer ({', '.join(TOKENIZERS)}); save it beside the weights")


def link_folder(source: Path, target: Path) -> dict[str, Any]:
    """Link every file of a Hugging Face model folder into `target` and write its `manifest.json`.

    Raises:
        ModelError: the folder is missing, or has no config.json, weights or tokenizer.
    """
    if not source.is_dir():
        raise ModelError(f"{source}: no such model folder (models.<name>.path)")
    if not (source / "config.json").exists():
        raise ModelError(f"{source}: no config.json; a Hugging Face model folder is needed")
    if not any(list(source.glob(pattern)) for pattern in WEIGHTS):
        raise ModelError(f"{source}: no weights ({' or '.join(WEIGHTS)})")
    check_tokenizer(source)
    files = sorted(path for path in source.iterdir() if path.is_file() and path.name != "manifest.json")
    manifest = {"source": str(source.resolve()), "sha256": {path.name: _sha256(path) for path in files}}
    with whole_folder(target) as partial:
        for path in files:
            (partial / path.name).symlink_to(path.resolve())
        write_json(manifest, partial / "manifest.json")
    return manifest
