"""Model folders taken over from the disk: what is checked before anything runs, and the manifest."""

import hashlib
from pathlib import Path

import pytest
from crane.models import ModelError, identity, link_folder, load_model, load_tokenizer


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
