"""The explorer of the reduced demo study, run for real: its parts follow from the statistics and from each other."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from crane.artefacts import read_table
from crane.explorer.shown import distinct, shown_neurons
from crane.neurons.neuron_set import NeuronSet
from support.reduced_study import LANGUAGES
from support.workspace import Workspace

LAYERS, WIDTH, SHARDS = 4, 256, 6
SHOWN, KEPT = 4, 2
AGAIN = {"find_top_samples": 3, "reduce_top_samples": 1, "attribute_examples": 1, "write_explorer": 1}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def explored(study: Workspace) -> Workspace:
    """Return the study, finished without the explorer, after the explorer was added."""
    study.config["explorer"] = {"samples": KEPT, "neurons": SHOWN, "tokens": 8}
    study.configure(study.config)
    assert study.reruns() == AGAIN
    study.run()
    return study


def tables(workspace: Workspace, folder: str) -> pd.DataFrame:
    paths = [workspace.results / folder / "base" / f"layer-{layer}.parquet" for layer in range(LAYERS)]
    return pd.concat(map(read_table, paths), ignore_index=True)


def numbers_in(path: Path) -> bytes:
    """Return a file of tensors without its header, which says how it was made."""
    content = path.read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :]


def log_of(workspace: Workspace, rule: str, language: str) -> str:
    folder = workspace.results / "logs" / rule / "base"
    return "".join(
        path.read_text(encoding="utf-8") for path in sorted(folder.glob(f"{language}*/*.log"))
    ) or (folder / f"{language}.log").read_text(encoding="utf-8")


def test_the_first_top_sample_is_the_extreme_of_the_statistics(explored: Workspace) -> None:
    key = ["language", "layer", "neuron"]
    top = tables(explored, "top_samples")
    assert len(top) == len(LANGUAGES) * LAYERS * WIDTH * KEPT and top["sample_id"].between(0, 299).all()
    first = top[top["place"] == 1].set_index(key)["relevance"]
    statistics = tables(explored, "kurtosis").set_index(key)
    largest = np.maximum(statistics["maximum"], -statistics["minimum"])
    pd.testing.assert_series_equal(first.abs().astype(float), largest.loc[first.index], check_names=False)


def test_the_tokens_of_an_example_add_up_to_its_relevance(explored: Workspace) -> None:
    folder = explored.results / "masks" / "base"
    masks = {name: NeuronSet.read_parquet(folder / f"{name}.parquet") for name in ("crane", "dispersion")}
    pairs = distinct(shown_neurons(masks, SHOWN))
    examples = read_table(explored.results / "examples" / "base" / "examples.parquet")
    assert set(zip(examples["layer"], examples["neuron"], strict=True)) == set(pairs)
    assert len(examples) == len(pairs) * len(LANGUAGES) * KEPT
    texts = read_table(explored.results / "examples" / "base" / "texts.parquet")
    lengths = texts.set_index(["language", "sample_id"])["texts"].map(len)
    for row in examples.itertuples():
        assert row.token_relevance.sum() == pytest.approx(row.relevance, rel=1e-3, abs=1e-6)
        assert len(row.token_relevance) == len(row.token_values) == lengths[row.language, row.sample_id]


def test_a_setting_repeats_what_depends_on_it(explored: Workspace) -> None:
    assert (explored.results / "explorer.html").stat().st_size < 1e6
    assert explored.reruns() == {}
    for edit, expected in (
        ({"tokens": 9}, {"write_explorer": 1}),
        ({"neurons": 5}, {"attribute_examples": 1, "write_explorer": 1}),
        ({"samples": 3}, AGAIN),
    ):
        with explored.configured(lambda config, edit=edit: config["explorer"].update(edit)):
            assert explored.reruns() == expected
    path = explored.results / "effects" / "base.parquet"
    path.parent.mkdir()
    path.touch()
    assert explored.reruns() == {"write_explorer": 1}
    path.unlink()


def test_relevance_that_is_measured_with_it_finds_them_on_its_way(explored: Workspace) -> None:
    """The shards are the same bytes, and so are the top samples, which then come from the store."""
    folders = [explored.results / name / "base" / "vi" for name in ("relevance", "top_samples")]
    before = {path: numbers_in(path) for folder in folders for path in folder.iterdir()}
    assert len(before) == 2 * SHARDS and "from the store" not in log_of(explored, "find_top_samples", "vi")
    for folder in (*folders, explored.results / "parts"):
        shutil.rmtree(folder)
    explored.run(str((folders[1] / "0.safetensors").relative_to(explored.folder)))
    assert log_of(explored, "find_top_samples", "vi").count("from the store") == SHARDS
    assert "from the store" not in log_of(explored, "attribute_relevance", "vi")
    assert before == {path: numbers_in(path) for folder in folders for path in folder.iterdir()}
    # The key of a shard in the store knows nothing of the section.
    stored: set[Path] = set(explored.results.rglob("parts/*/*.safetensors"))
    shutil.rmtree(folders[0])
    with explored.configured(lambda config: config.pop("explorer")):
        explored.run(str((folders[0] / "0.safetensors").relative_to(explored.folder)))
    assert log_of(explored, "attribute_relevance", "vi").count("from the store") == SHARDS
    assert len(stored) == 2 * SHARDS and stored == set(explored.results.rglob("parts/*/*.safetensors"))
