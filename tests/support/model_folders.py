"""Changes to a copied model folder - its configuration, its tensors, the form of its weights - and its refusal."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from crane.models.errors import ModelError
from crane.models.folders import check_whole
from safetensors.torch import load_file, save_file

ONE, INDEX = "model.safetensors", "model.safetensors.index.json"
BIN, BIN_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"

Tensors = dict[str, torch.Tensor]


def refused(folder: Path) -> str:
    """Return the one line with which a folder is refused, without the folder's name: it says what tests look for."""
    with pytest.raises(ModelError) as caught:
        check_whole(folder)
    message = str(caught.value)
    assert "\n" not in message and "weights_only" not in message and str(folder) in message
    return message.replace(str(folder), "")


def set_json(path: Path, changes: Mapping[str, Any]) -> None:
    """Set keys of a JSON file; None removes one."""
    stated = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps({key: value for key, value in stated.items() if value is not None}))


def change_tensors(folder: Path, change: Callable[[Tensors], Tensors]) -> Tensors:
    """Write other tensors in place of the folder's; return them."""
    tensors = change(load_file(folder / ONE))
    save_file({name: one.contiguous() for name, one in tensors.items()}, folder / ONE, {"format": "pt"})
    return tensors


def as_bin(folder: Path, **how: Any) -> Path:
    """Turn the weights into `pytorch_model.bin`, saved by `torch.save` with these arguments."""
    torch.save(load_file(folder / ONE), folder / BIN, **how)
    (folder / ONE).unlink()
    return folder / BIN


def as_shards(folder: Path, shards: int = 3, form: str = "safetensors") -> list[Path]:
    """Turn the weights into an index and several files."""
    tensors = load_file(folder / ONE)
    (folder / ONE).unlink()
    stem = "model" if form == "safetensors" else "pytorch_model"
    paths = [folder / f"{stem}-{n:05}-of-{shards:05}.{form}" for n in range(1, shards + 1)]
    where = {name: paths[n % shards] for n, name in enumerate(sorted(tensors))}
    for path in paths:
        part = {name: tensors[name] for name in tensors if where[name] == path}
        save_file(part, path, {"format": "pt"}) if form == "safetensors" else torch.save(part, path)
    index = {"metadata": {}, "weight_map": {name: path.name for name, path in where.items()}}
    (folder / (INDEX if form == "safetensors" else BIN_INDEX)).write_text(json.dumps(index))
    return paths
