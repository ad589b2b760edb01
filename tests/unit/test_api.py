"""The library from a notebook: the names of `crane.api`, and the README's example on a tiny model."""

import ast
import re
from pathlib import Path
from typing import Any

import crane.api
import numpy as np
import pytest
import torch
from crane.neurons.neuron_set import NeuronSet
from support.models import INTERMEDIATE, LAYERS
from support.places import ROOT, SCRIPTS

LANGUAGES = ["en", "zh", "vi"]


def snippet() -> str:
    """Return the README's example in Python, with its names taken from `crane.api`."""
    blocks = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S
    )
    (block,) = [block for block in blocks if "attribution(" in block]
    return re.sub(r"^from crane(\.\w+)+ import", "from crane.api import", block, flags=re.M)


@pytest.fixture(scope="module")
def neurons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a mask set of a tenth of the tiny model's neurons."""
    flags = np.random.default_rng(0).random((len(LANGUAGES), LAYERS, INTERMEDIATE)) < 0.1
    path = tmp_path_factory.mktemp("masks") / "dispersion.parquet"
    NeuronSet.from_flags(flags, LANGUAGES).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def ran(model_folder: Path, neurons: Path) -> dict[str, Any]:
    """Return the variables that the example leaves behind; its last expression is `result`."""
    files = {
        '"results/demo/models/base"': repr(str(model_folder)),
        '"results/demo/masks/base/dispersion.parquet"': repr(str(neurons)),
        "width=256": f"width={INTERMEDIATE}",
    }
    text = snippet()
    for given, here in files.items():
        assert given in text, f"the README's example no longer has {given}"
        text = text.replace(given, here)
    tree = ast.parse(text)
    if isinstance(last := tree.body[-1], ast.Expr):
        tree.body[-1] = ast.Assign([ast.Name("result", ast.Store())], last.value)
    variables: dict[str, Any] = {}
    exec(compile(ast.fix_missing_locations(tree), "README.md", "exec"), variables)
    return variables


def test_relevance_is_one_vector_per_sample_and_layer(ran: dict[str, Any]) -> None:
    assert ran["relevance"].shape == (2, LAYERS, INTERMEDIATE)
    assert ran["relevance"].dtype == torch.float32 and ran["relevance"].isfinite().all()
    moments = ran["moments"]
    assert moments.n == 2
    torch.testing.assert_close(moments.mean, ran["relevance"].double().mean(0))


def test_masks_are_read_and_random_ones_drawn_like_them(ran: dict[str, Any], neurons: Path) -> None:
    assert ran["neurons"] == NeuronSet.read_parquet(neurons)
    assert ran["control"].counts().equals(ran["neurons"].counts())
    assert all(0 <= value < 1 for value in ran["neurons"].jaccard(ran["control"]).values())


def test_a_masked_model_answers_and_is_restored(ran: dict[str, Any], model_folder: Path) -> None:
    assert ran["answer"].shape[0] == 1 and ran["answer"].shape[1] > 1
    from transformers import AutoModelForCausalLM

    fresh = AutoModelForCausalLM.from_pretrained(model_folder)
    for name, weights in ran["model"].state_dict().items():
        assert torch.equal(weights, fresh.state_dict()[name]), name


def test_the_metric_is_that_of_the_paper(ran: dict[str, Any]) -> None:
    drops = {"en": 0.08, "vi": 0.55}
    precision, recall = drops["vi"] / sum(drops.values()), drops["vi"] / 0.95
    assert ran["result"].f1 == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-6)


def test_every_name_is_there_and_described() -> None:
    for name in crane.api.__all__:
        assert getattr(crane.api, name).__doc__, name
    imported = {
        alias.name
        for node in ast.parse(snippet()).body
        if isinstance(node, ast.ImportFrom) and node.module == "crane.api"
        for alias in node.names
    }
    assert imported <= set(crane.api.__all__), "the README's example takes its names from crane.api"
    assert len(imported) > 5


def test_no_script_imports_it() -> None:
    """It imports half of the library, and would be part of every hash of the code."""
    for path in SCRIPTS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert "crane.api" not in names, path
