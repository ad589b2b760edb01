"""Model folders: the one check that preflight, downloads, links and every loader make, and links to a user's folder."""

from pathlib import Path
from typing import Any

from crane.artefacts import atomic_folder, sha256, write_json
from crane.models.configuration import check_shape, read_config, stated_ends
from crane.models.errors import ModelError
from crane.models.tensors import check_names, check_report, check_types, compare
from crane.models.tokenizers import check_tokenizer
from crane.models.weights import find_index, read_headers, read_index, weight_files

WEIGHTS = ("*.safetensors", "*.bin", "*.index.json")
"""Files that an engine may take for weights."""


def _check_kind(folder: Path) -> None:
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such model folder (models.<name>.path)")
    if (folder / "adapter_config.json").exists():
        raise ModelError(
            f"{folder}: adapter_config.json: the folder holds an adapter; merge it into its model (peft: "
            "merge_and_unload) and save the result, or remove the adapter's files"
        )


def check_whole(folder: str | Path) -> Any:
    """Check that a folder holds a whole model that can be loaded, masked and asked; no weight is read.

    Returns:
        Its configuration.

    Raises:
        ModelError: config.json, weights or tokenizer are missing, cut, git-LFS pointers or not readable; the tensors
            are not those of the architecture; the model is quantised, an adapter, or defined by code of the folder;
            tokens have no row in the embedding; the chat template cannot be rendered; or generation_config.json cannot
            be read.
        UnsupportedModelError: the model's family is unknown.
    """
    folder = Path(folder)
    _check_kind(folder)
    return _check_content(folder, read_config(folder))


def _check_content(folder: Path, config: Any) -> Any:
    """Check weights and tokenizer of a folder against its configuration, and return it."""
    tensors = read_headers(weight_files(folder))
    check_types(folder, tensors)
    check_report(folder, config, compare(folder, config, tensors))
    check_tokenizer(folder, config)
    stated_ends(folder, config)
    return config


def check_folder(folder: Path, name: str, layers: int, intermediate_size: int) -> Any:
    """Check that a folder holds a whole model of the shape that the study says, and return its configuration.

    Raises:
        ModelError: as of `check_whole`, or the model has another shape.
        UnsupportedModelError: the model's family is unknown.
    """
    _check_kind(folder)
    config = read_config(folder)
    check_shape(config, name, layers, intermediate_size)
    return _check_content(folder, config)


def check_settings(folder: Path, name: str, layers: int, intermediate_size: int) -> None:
    """Check what can be checked of a model before its weights are downloaded: all other files.

    Raises:
        ModelError: as of `check_folder`; of tensors only names are compared, and only if there is an index.
        UnsupportedModelError: the model's family is unknown.
    """
    _check_kind(folder)
    config = read_config(folder)
    check_shape(config, name, layers, intermediate_size)
    index = find_index(folder)
    if index is not None:
        check_names(folder, config, read_index(index))
    check_tokenizer(folder, config)
    stated_ends(folder, config)


def link_folder(source: Path, target: Path, name: str, layers: int, intermediate_size: int) -> dict[str, Any]:
    """Link the files of a Hugging Face model folder into `target` and write its `manifest.json`.

    Weights in further forms are left out, so that every engine reads the ones that were checked.

    Raises:
        ModelError: as of `check_folder`.
        UnsupportedModelError: likewise.
    """
    check_folder(source, name, layers, intermediate_size)
    weights = {*weight_files(source), find_index(source)}
    files = sorted(
        path
        for path in source.iterdir()
        if path.is_file()
        and path.name != "manifest.json"
        and (path in weights or not any(path.match(pattern) for pattern in WEIGHTS))
    )
    manifest = {"source": str(source.resolve()), "sha256": {path.name: sha256(path) for path in files}}
    with atomic_folder(target) as partial:
        for path in files:
            (partial / path.name).symlink_to(path.resolve())
        write_json(manifest, partial / "manifest.json")
    return manifest
