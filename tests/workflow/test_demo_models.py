"""The demo's models trained anew, in little: the recipe of the ones that ship."""

import importlib.util
import shutil
from typing import Any

import pytest
import torch
from crane.artefacts import read_json, sha256
from crane.models.loading import load_model
from crane.models.tokenizers import load_tokenizer
from support.places import ROOT
from support.study_config import preset
from support.workspace import Workspace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    config = preset("demo-models")
    config["demo"]["data"].update(documents=600, benchmark=20, questions=2)
    config["demo"]["pretraining"].update(steps=120, batch_size=8, length=64, vocabulary=900)
    config["demo"]["finetuning"].update(steps=10, batch_size=8, length=64)
    workspace = Workspace(tmp_path_factory.mktemp("models"), config)
    workspace.run("results/demo-models/models/base", "results/demo-models/models/chat")
    return workspace


def test_the_models_have_learned_from_the_texts(trained: Workspace) -> None:
    """A text of their world is likelier than the same words in reverse."""
    for name in ("base", "chat"):
        folder = trained.results / "models" / name
        model, tokenizer = load_model(folder), load_tokenizer(folder)
        text = tokenizer("The capital of France is Paris.", return_tensors="pt").input_ids
        reverse = torch.cat([text[:, :1], text[:, 1:].flip(1)], dim=1)
        with torch.no_grad():
            losses = [float(model(ids, labels=ids).loss) for ids in (text, reverse)]
        assert losses[0] < losses[1] - 0.5, name


def test_the_chat_model_starts_from_the_base_model(trained: Workspace) -> None:
    base, chat = (read_json(trained.results / "models" / name / "manifest.json") for name in ("base", "chat"))
    assert chat["base"] == "base" and "base" not in base
    assert chat["settings"]["steps"] == 10 and base["settings"]["steps"] == 120
    weights = {name: load_model(trained.results / "models" / name).state_dict() for name in ("base", "chat")}
    moved = [key for key, value in weights["base"].items() if not torch.equal(value, weights["chat"][key])]
    assert moved


def test_what_ships_is_what_was_trained_with_the_recipe(trained: Workspace) -> None:
    spec = importlib.util.spec_from_file_location(
        "ship_models", trained.folder / "resources/demo/ship_models.py"
    )
    ship: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(ship)
    shutil.rmtree(trained.folder / "resources" / "demo" / "models")
    ship.main(trained.results, trained.config)
    for name in ("base", "chat"):
        folder = trained.folder / "resources" / "demo" / "models" / name
        manifest = read_json(folder / "manifest.json")
        assert manifest["recipe"] == ship.recipe_hash(trained.config)
        assert manifest["sha256"] == sha256(folder / "model.safetensors")
    shipped = read_json(ROOT / "resources" / "demo" / "models" / "base" / "manifest.json")
    assert shipped["recipe"] == ship.recipe_hash(preset("demo-models")) != ship.recipe_hash(trained.config)
