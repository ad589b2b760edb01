"""The explorer of a study of a tiny model, run for real: its parts follow from the statistics and from each other."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from crane.artefacts import read_table
from crane.explorer.shown import distinct, shown_neurons
from crane.neurons.neuron_set import NeuronSet
from support.workspace import Workspace, plain

LAYERS, SHOWN, KEPT = 3, 4, 2
AGAIN = {"find_top_samples": 2, "reduce_top_samples": 1, "attribute_examples": 1, "write_explorer": 1}
pytestmark = pytest.mark.slow


def tiny(demo: dict[str, Any], model: Path) -> dict[str, Any]:
    """A study of a tiny model on a few texts in two languages."""
    config = copy.deepcopy(plain(demo))
    config["study"] = "tiny"
    config["languages"] = {code: {"name": code} for code in ("en", "vi")}
    config["models"] = {
        "base": {"label": "Tiny", "source": "local", "path": str(model), "layers": LAYERS, "intermediate_size": 48}
    }  # fmt: skip
    config["transfer_models"] = []
    config["demo"]["data"].update(documents=100, identification=60, benchmark=12, questions=2)
    config["corpora"].update(documents=20, shards=2)
    config["mask_sets"] = {"crane": demo["mask_sets"]["crane"]}
    config["perplexity"] = {"mask_sets": ["crane"], "transfer": False, "documents": 8, "max_tokens": 24}
    for section in ("benchmarks", "suites", "open_questions", "judges"):
        del config[section]
    del config["scores"]["parallel"]
    config["explorer"] = {"samples": KEPT, "neurons": SHOWN, "tokens": 8}
    return config


@pytest.fixture(scope="module")
def explored(
    tmp_path_factory: pytest.TempPathFactory, demo_config: dict[str, Any], model_folder: Path
) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("explored"), tiny(demo_config, model_folder))
    workspace.run("explorer")
    return workspace


def tables(workspace: Workspace, folder: str) -> pd.DataFrame:
    paths = [workspace.results / folder / "base" / f"layer-{layer}.parquet" for layer in range(LAYERS)]
    return pd.concat(map(read_table, paths), ignore_index=True)


def test_the_relevance_jobs_found_the_top_samples_on_their_way(explored: Workspace) -> None:
    for code in ("en", "vi"):
        log = (explored.results / "logs" / "find_top_samples" / "base" / f"{code}.log").read_text()
        assert log.count("from the store") == 2


def test_the_first_top_sample_is_the_extreme_of_the_statistics(explored: Workspace) -> None:
    key = ["language", "layer", "neuron"]
    top = tables(explored, "top_samples")
    assert len(top) == 2 * LAYERS * 48 * KEPT and top["sample_id"].between(0, 19).all()
    first = top[top["place"] == 1].set_index(key)["relevance"]
    statistics = tables(explored, "kurtosis").set_index(key)
    largest = np.maximum(statistics["maximum"], -statistics["minimum"])
    pd.testing.assert_series_equal(first.abs().astype(float), largest.loc[first.index], check_names=False)


def test_the_tokens_of_an_example_add_up_to_its_relevance(explored: Workspace) -> None:
    masks = NeuronSet.read_parquet(explored.results / "masks" / "base" / "crane.parquet")
    pairs = distinct(shown_neurons({"crane": masks}, SHOWN))
    examples = read_table(explored.results / "examples" / "base" / "examples.parquet")
    assert set(zip(examples["layer"], examples["neuron"], strict=True)) == set(pairs)
    assert len(examples) == len(pairs) * 2 * KEPT
    texts = read_table(explored.results / "examples" / "base" / "texts.parquet")
    lengths = texts.set_index(["language", "sample_id"])["texts"].map(len)
    for row in examples.itertuples():
        assert row.token_relevance.sum() == pytest.approx(row.relevance, rel=1e-3, abs=1e-6)
        assert len(row.token_relevance) == len(row.token_values) == lengths[row.language, row.sample_id]


def test_the_page_is_there_and_is_made_once(explored: Workspace) -> None:
    assert (explored.results / "explorer.html").stat().st_size < 1e6
    assert explored.planned("explorer") == {}
    with explored.configured(lambda config: config["explorer"].update(tokens=9)):
        assert explored.planned("explorer") == {"write_explorer": 1}
    with explored.configured(lambda config: config["explorer"].update(neurons=5)):
        assert explored.planned("explorer") == {"attribute_examples": 1, "write_explorer": 1}
    with explored.configured(lambda config: config["explorer"].update(samples=3)):
        assert explored.planned("explorer") == AGAIN


def test_measured_effects_are_taken_in_when_they_are_there(explored: Workspace) -> None:
    path = explored.results / "calibration_effects.parquet"
    path.touch()
    try:
        assert explored.planned("explorer") == {"write_explorer": 1}
    finally:
        path.unlink()


def test_shards_of_a_study_without_it_are_the_same_bytes(explored: Workspace, tmp_path: Path) -> None:
    """What the section adds is another file: neither the shards nor their keys in the store know of it."""
    other = explored.copy_to(tmp_path / "other")
    shards = sorted(
        path.relative_to(other.folder) for path in (other.results / "relevance").rglob("*.safetensors")
    )
    assert len(shards) == 4
    with other.configured(lambda config: config.pop("explorer")):
        assert other.planned(*map(str, shards)) == {}
        before = {path: path.stat().st_mtime for path in other.results.rglob("parts/*/*.safetensors")}
        assert other.planned("explorer") == AGAIN, "other defaults"
    assert before.keys() == set(other.results.rglob("parts/*/*.safetensors"))
