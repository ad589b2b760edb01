"""What identifies a model folder: its manifest, with the hashes of its files."""

import hashlib
import json
from pathlib import Path
from typing import Any

from crane.artefacts import read_json, sha256


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
