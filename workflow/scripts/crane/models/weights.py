"""The weights of a model folder: their files, and names, shapes and types of the tensors in them.

Headers alone are read, so that a model of any size is checked in about a second.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from transformers.modeling_utils import str_to_torch_dtype
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME, WEIGHTS_INDEX_NAME, WEIGHTS_NAME

from crane.artefacts import read_json
from crane.models.errors import ModelError, reason, some
from crane.models.fetched import check_fetched
from crane.models.pickled import OtherObjectsError, PickleError, load_plain_tensors

FORMS = ((SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME), (WEIGHTS_NAME, WEIGHTS_INDEX_NAME))
"""One file, and the index of several, of each form of weights; safetensors come first, as for transformers and vLLM."""


def find_index(folder: Path) -> Path | None:
    """Return the index of a folder's weights, or None if they are in one file or absent.

    Raises:
        ModelError: there are both.
    """
    for single, index in FORMS:
        if (folder / single).exists() and (folder / index).exists():
            raise ModelError(
                f"{folder}: two sets of weights, {single} and {index}: transformers reads the first, vLLM the second; "
                "remove one of them"
            )
        if (folder / single).exists():
            return None
        if (folder / index).exists():
            return folder / index
    return None


def read_index(index: Path) -> dict[str, str]:
    """Return name of a tensor -> name of its file.

    Raises:
        ModelError: the file is no index of weights.
    """
    check_fetched(index.parent, [index])
    try:
        names = read_json(index)["weight_map"]
        if not names or not all(isinstance(file, str) and "/" not in file for file in names.values()):
            raise ValueError("weight_map names no files")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{index}: no readable index of weights ({reason(error)}); download it again"
        ) from error
    return names


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold a folder's weights, as transformers and vLLM choose them.

    Raises:
        ModelError: there are none, two sets of them, or some that the index names are missing.
    """
    index = find_index(folder)
    if index is not None:
        files = [folder / name for name in sorted(set(read_index(index).values()))]
        missing = [path.name for path in files if not path.is_file()]
        if missing:
            raise ModelError(
                f"{folder}: {len(missing)} of the {len(files)} files that {index.name} names are missing: "
                f"{some(missing)}; download them again"
            )
        return files
    for single, _ in FORMS:
        if (folder / single).is_file():
            return [folder / single]
    raise ModelError(
        f"{folder}: no weights ({' or '.join(name for form in FORMS for name in form)}); save them under one of these "
        "names"
    )


def read_headers(files: list[Path]) -> dict[str, torch.Tensor]:
    """Return the tensors in some files of weights, on the meta device: no weight is read.

    Raises:
        ModelError: a file is a git-LFS pointer, cut or damaged, holds other things than tensors, or a tensor is in
            two files.
    """
    folder = files[0].parent
    check_fetched(folder, files)
    tensors: dict[str, torch.Tensor] = {}
    for path in files:
        read = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
        twice = sorted(tensors.keys() & read.keys())
        if twice:
            raise ModelError(
                f"{folder}: tensors in {path.name} and in another file: {some(twice)}; which of them counts is "
                "undefined: save the model again"
            )
        tensors |= read
    return tensors


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            return {
                name: torch.empty(
                    each.get_shape(),
                    dtype=str_to_torch_dtype.get(each.get_dtype(), torch.uint8),
                    device="meta",
                )
                for name, each in slices.items()
            }
    except (OSError, SafetensorError) as error:
        raise _damaged(path, reason(error)) from error


def _pickled(path: Path) -> dict[str, torch.Tensor]:
    try:
        tensors = load_plain_tensors(path, "meta")
    except OtherObjectsError as error:
        raise ModelError(
            f"{path}: damaged, or it holds other Python objects than tensors, which are never loaded because they can "
            "run code; download it again, or save the model as safetensors"
        ) from error
    except PickleError as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(tensors, dict) or not all(isinstance(one, torch.Tensor) for one in tensors.values()):
        raise ModelError(f"{path}: not a state dict (name -> tensor); save the model with save_pretrained")
    return tensors


def _damaged(path: Path, why: str) -> ModelError:
    return ModelError(f"{path}: cut or damaged, {path.stat().st_size:,} bytes ({why}); download it again")
