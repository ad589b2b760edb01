"""Everything that a study depends on, in one record: files and hashes, versions, models, configuration, code."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from crane.artefacts import ArtefactError, read_json, read_metadata, sha256
from crane.relevance.shards import read_header

READERS = {".parquet": read_metadata, ".safetensors": read_header}
"""Readers of the provenance within an artefact, by file extension."""


def study_record(
    name: str,
    config: Mapping[str, Any],
    models: Iterable[str | Path],
    files: Iterable[str | Path],
    code: Mapping[str, str],
) -> dict[str, Any]:
    """Return the provenance of a whole study.

    Code and library versions are read from the artefacts: those with which they were made, which may differ from the
    installed ones and between artefacts.

    Args:
        name: name of the study.
        config: the configuration with which the results were last made.
        models: model folders with a manifest.
        files: every artefact and input to list.
        code: rule -> code version, for rules whose artefacts (JSON lines) carry no provenance.

    Returns:
        study, config, models (name -> manifest without the training's course), rules (rule -> code versions and library
        versions found in its artefacts), files (path -> sha256 and bytes).

    Raises:
        ArtefactError: a model has no manifest.
    """
    rules: dict[str, dict[str, Any]] = {
        rule: {"code": [version], "versions": []} for rule, version in code.items()
    }
    hashes = {}
    for file in sorted({Path(path) for path in files}):
        hashes[file.as_posix()] = {"sha256": sha256(file), "bytes": file.stat().st_size}
        if file.suffix not in READERS:
            continue
        metadata = READERS[file.suffix](file)
        record = rules.setdefault(metadata.get("rule", "unknown"), {"code": [], "versions": []})
        for key, value in (
            ("code", metadata.get("params", {}).get("code")),
            ("versions", metadata.get("versions")),
        ):
            if value is not None and value not in record[key]:
                record[key].append(value)
    manifests = {}
    for folder in map(Path, models):
        if not (folder / "manifest.json").exists():
            raise ArtefactError(f"{folder}: no manifest.json; delete the folder and run again")
        manifest = read_json(folder / "manifest.json")
        manifests[folder.name] = {key: value for key, value in manifest.items() if _identifies(value)}
    return {"study": name, "config": dict(config), "models": manifests, "rules": rules, "files": hashes}


def _identifies(value: Any) -> bool:
    """Return whether a manifest entry identifies the model; lists record the course of its training."""
    return not isinstance(value, list)
