"""Model folders taken over from the disk: what is checked before anything runs, and the manifest."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from crane.models.errors import ModelError
from crane.models.families import UnsupportedModelError, neurons_per_layer
from crane.models.folders import link_folder
from crane.models.loading import load_model
from crane.models.manifests import identity
from crane.models.tokenizers import load_tokenizer


def test_a_folder_is_linked_with_its_hashes(model_folder: Path, tmp_path: Path):
    target = tmp_path / "linked"
    shape = load_model(model_folder).config
    manifest = link_folder(model_folder, target, "mine", shape.num_hidden_layers, shape.intermediate_size)
    weights = model_folder / "model.safetensors"
    assert manifest["sha256"]["model.safetensors"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (target / "model.safetensors").resolve() == weights.resolve()
    assert identity(target)["sha256"] == manifest["sha256"]
    assert load_tokenizer(target)("a").input_ids == load_tokenizer(model_folder)("a").input_ids
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("layers", "width"), [(7, 48), (3, 47)])
def test_another_shape_is_told_before_anything_runs(
    model_folder: Path, tmp_path: Path, layers: int, width: int
):
    with pytest.raises(
        ModelError, match=rf"has 3 layers of 48 neurons, .* says {layers} of {width}.*models.mine.layers"
    ):
        link_folder(model_folder, tmp_path / "linked", "mine", layers, width)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "no config.json"),
        ("model.safetensors", "no weights"),
        ("tokenizer.json", "no tokenizer"),
    ],
)
def test_an_incomplete_folder_is_told(model_folder: Path, tmp_path: Path, missing: str, message: str):
    source = tmp_path / "model"
    source.mkdir()
    for path in model_folder.iterdir():
        if path.name != missing:
            (source / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ModelError, match=message):
        link_folder(source, tmp_path / "linked", "mine", 3, 48)
    with pytest.raises(ModelError, match="no such model folder"):
        link_folder(tmp_path / "nothing", tmp_path / "linked", "mine", 3, 48)


def test_a_folder_of_every_family_is_linked_and_loaded(every_model: Any, tokenizer: Any, tmp_path: Path):
    every_model.save_pretrained(tmp_path / "saved")
    tokenizer.save_pretrained(tmp_path / "saved")
    neurons = neurons_per_layer(every_model.config)
    link_folder(tmp_path / "saved", tmp_path / "linked", "mine", 3, neurons)
    ids = torch.arange(3, 23)[None]
    with torch.no_grad():
        loaded = load_model(tmp_path / "linked")(input_ids=ids).logits
        assert torch.equal(loaded, every_model(input_ids=ids).logits)
    with pytest.raises(ModelError, match=f"has 3 layers of {neurons} neurons"):
        link_folder(tmp_path / "saved", tmp_path / "other", "mine", 4, neurons)


def test_an_unknown_family_is_told_before_anything_runs(model_folder: Path, tmp_path: Path):
    source = tmp_path / "model"
    source.mkdir()
    for path in model_folder.iterdir():
        (source / path.name).write_bytes(path.read_bytes())
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | {"model_type": "olmo"}))
    with pytest.raises(UnsupportedModelError, match=r"'olmo' is not supported; supported: .*gemma2"):
        link_folder(source, tmp_path / "linked", "mine", 3, 48)
    with pytest.raises(UnsupportedModelError, match="'olmo' is not supported"):
        load_model(source)
    assert not (tmp_path / "linked").exists()


def test_a_damaged_configuration_is_told(model_folder: Path, tmp_path: Path):
    source = tmp_path / "model"
    source.mkdir()
    for path in model_folder.iterdir():
        (source / path.name).write_bytes(path.read_bytes())
    for damage in ("{", "[]", "{}", '{"model_type": "llama", "hidden_size": "many"}'):
        (source / "config.json").write_text(damage)
        with pytest.raises(ModelError, match=r"model: no readable config\.json \("):
            link_folder(source, tmp_path / "linked", "mine", 3, 48)
