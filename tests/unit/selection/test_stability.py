"""Stability measured on small sets by hand, and shown as measured."""

import numpy as np
import pandas as pd
import pytest
from crane.figures.stability import mask_layers
from crane.figures.stability import overlap as overlap_figure
from crane.figures.stability import stability as stability_figure
from crane.neurons.neuron_set import NeuronSet
from crane.relevance.moments import Moments
from crane.relevance.shards import Statistics
from crane.relevance.statistics import layer_table
from crane.results.labels import Labels, ResultsError
from crane.selection.random_like import random_like
from crane.selection.stability import expected_jaccard, jaccard, outliers, overlap, split_half
from crane.tables.rendering import render
from crane.tables.stability import overlap_table, stability_table
from torch import Generator, full, randn, stack, tensor, zeros

WIDTH, LAYERS = 64, 2
LANGUAGES = {"en": "English", "zh": "Chinese"}
LABELS = Labels(LANGUAGES, {}, {"crane": "CRANE", "random": "Random"}, {})
SETTINGS = {"method": "crane", "normalise": "none", "rule": "margin", "budget": {"count": 4}}


def indices(**layers: list[int]) -> dict[int, np.ndarray]:
    return {int(name[1:]): np.array(index) for name, index in layers.items()}


def test_jaccard_by_hand():
    one, other = indices(l0=[1, 2, 3], l1=[5]), indices(l0=[2, 3, 9], l2=[5])
    assert jaccard(one, other) == 2 / 6
    assert jaccard(one, one) == 1
    assert np.isnan(jaccard({}, indices(l0=[])))
    assert expected_jaccard(indices(l0=[1, 2]), indices(l0=[1, 2, 3], l1=[4]), 6) == pytest.approx(1 / 5)


def test_expected_jaccard_is_what_random_sets_have():
    rng = np.random.default_rng(0)
    counts = {"en": {0: np.arange(20), 1: np.arange(9)}}
    model = NeuronSet(counts, layers=2)
    drawn = [random_like(model, WIDTH, int(seed))["en"] for seed in rng.integers(0, 10**6, 400)]
    found = [jaccard(one, other) for one, other in zip(drawn[::2], drawn[1::2], strict=True)]
    assert np.mean(found) == pytest.approx(expected_jaccard(drawn[0], drawn[1], WIDTH), abs=0.01)


def table(samples: dict[str, list]) -> pd.DataFrame:
    """Return the layers' tables of relevance `[n, K, I]` per language."""
    frames = []
    for layer in range(LAYERS):
        statistics = {
            code: Statistics(Moments.from_batch(x[:, layer]), full((WIDTH,), 3), 10, zeros(WIDTH), 10)
            for code, x in samples.items()
        }
        frames.append(layer_table(statistics, layer, "intermediate"))
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def texts():
    """Relevance of 400 texts; in English the neurons 0 to 3 of layer 0 are large in every tenth text."""
    generator = Generator().manual_seed(0)
    samples = {code: randn(400, LAYERS, WIDTH, generator=generator) for code in LANGUAGES}
    samples["en"][::10, 0, :4] *= 10
    samples["zh"][7, 1, :4] = 60.0  # one text of the first half explains these four
    return samples


def test_split_half_finds_what_every_text_shows(texts):
    halves = {
        "even": table({c: x[:200] for c, x in texts.items()}),
        "odd": table({c: x[200:] for c, x in texts.items()}),
    }
    flags = stack([randn(LAYERS, WIDTH) > 9] * 2).numpy()
    flags[:, 0, :4] = True
    masks = {"crane": NeuronSet.from_flags(flags, list(LANGUAGES))}
    found = split_half(halves, {"crane": SETTINGS}, masks, WIDTH, "intermediate").set_index("mask_language")
    assert found.loc["en", "split_half"] == 1
    assert found.loc["zh", "split_half"] < 0.3
    assert found["neurons_even"].tolist() == [4, 4] and found["reason"].isna().all()
    strict = {**SETTINGS, "rule": "contrast", "threshold": 99.0}
    failed = split_half(halves, {"crane": strict}, masks, WIDTH, "intermediate")
    assert failed["split_half"].isna().all() and "highest score" in failed["reason"].iloc[0]


def test_outliers_are_the_neurons_that_one_text_explains(texts):
    kurtosis = table(texts)
    flags = np.zeros((2, LAYERS, WIDTH), bool)
    flags[:, 1, 2:6] = True
    found = outliers(kurtosis, {"crane": NeuronSet.from_flags(flags, list(LANGUAGES))})
    found = found.set_index("mask_language")
    assert found["neurons"].tolist() == [4, 4]
    assert found.loc["zh", "outliers"] == 2 and found.loc["zh", "outlier_share"] == 0.5
    assert found.loc["zh", "outlier_share_all"] >= 4 / (LAYERS * WIDTH)
    # The share by hand.
    column = texts["zh"][:, 1, 0].double()
    fourth = (column - column.mean()) ** 4
    row = kurtosis.query("language == 'zh' and layer == 1 and neuron == 0")
    assert row["outlier_share"].item() == pytest.approx(float(fourth.max() / fourth.sum()))


@pytest.fixture(scope="module")
def masks() -> dict[str, NeuronSet]:
    rng = np.random.default_rng(1)
    crane = NeuronSet.from_flags(rng.random((2, LAYERS, WIDTH)) < 0.2, list(LANGUAGES))
    return {
        "crane": crane,
        "random-0": random_like(crane, WIDTH, 0),
        "random-1": random_like(crane, WIDTH, 1),
    }


GROUPS = {"crane": "crane", "random-0": "random", "random-1": "random"}


def test_overlap_averages_seeds_and_is_symmetric(masks):
    found = overlap(masks, GROUPS, WIDTH).set_index(
        ["label", "mask_language", "other_label", "other_language"]
    )
    assert len(found) == 4 * 4
    mean = np.mean([jaccard(masks["crane"]["en"], masks[f"random-{i}"]["zh"]) for i in (0, 1)])
    assert found.loc[("crane", "en", "random", "zh"), "jaccard"] == pytest.approx(mean)
    assert found.loc[("random", "zh", "crane", "en"), "jaccard"] == pytest.approx(mean)
    apart = np.mean([jaccard(masks[f"random-{i}"]["en"], masks[f"random-{i}"]["zh"]) for i in (0, 1)])
    assert found.loc[("random", "en", "random", "zh"), "jaccard"] == pytest.approx(apart)
    assert found.loc[("crane", "zh", "crane", "zh"), "jaccard"] == 1


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    rows = [(name, GROUPS[name], code, 8, 4, 0.5, 0.1) for name in GROUPS for code in LANGUAGES]
    columns = [
        "mask_set",
        "label",
        "mask_language",
        "neurons",
        "outliers",
        "outlier_share",
        "outlier_share_all",
    ]
    return pd.DataFrame(rows, columns=columns)


def test_the_table_says_why_there_are_no_halves(measured):
    shown = stability_table(measured, LABELS, shards=1)
    assert any("one shard per language" in note for note in shown.notes)
    assert (shown.cells["Split halves", "Jaccard"] == "–").all()
    halved = measured.assign(
        split_half=[0.25, 0.5, *[np.nan] * 4], by_chance=0.05, neurons_even=8.0, neurons_odd=9.0, reason=None
    )
    shown = stability_table(halved, LABELS, shards=2)
    assert shown.cells["Split halves", "Jaccard"].tolist() == ["0.2500", "0.5000", "–", "–"]
    assert shown.cells["Split halves", "Neurons"].tolist() == ["8 / 9"] * 2 + ["–"] * 2
    assert shown.cells["", "Method"].tolist()[-1] == "Random (2 seeds)"
    failed = halved.assign(split_half=np.nan, reason=["no neuron", *[None] * 5])
    assert any("no neuron" in note for note in stability_table(failed, LABELS, shards=2).notes)
    for form in ("csv", "md", "tex", "txt"):
        assert render(shown, form)
    with pytest.raises(ResultsError, match="no row for mask set 'random'"):
        stability_table(measured[measured["label"] == "crane"], LABELS, shards=2)


def test_the_overlap_table_and_figure_show_every_pair(masks):
    pairs = overlap(masks, GROUPS, WIDTH)
    shown = overlap_table(pairs, LABELS)
    assert len(shown.tidy) == 16 and len(shown.cells) == 4
    values = pairs.set_index(["label", "mask_language", "other_label", "other_language"])["jaccard"]
    assert shown.cells["Other languages", "zh"][0] == f"{values['crane', 'en', 'crane', 'zh']:.3f}"
    assert (
        shown.cells["Other mask sets, same language", "Random"][1]
        == f"{values['crane', 'zh', 'random', 'zh']:.3f}"
    )
    figure = overlap_figure(pairs, LABELS)
    drawn = figure.axes[0].images[0].get_array()
    assert drawn[0, 3] == pytest.approx(values["crane", "en", "random", "zh"])
    assert drawn.mask.diagonal().all() and len(figure.axes[0].texts) >= 12


def test_the_figures_draw_what_was_measured(measured):
    methods = pd.Series({"crane": "crane", "random": "random"})
    halved = measured.assign(split_half=[0.25, 0.5, *[np.nan] * 4], by_chance=0.05)
    left, right = stability_figure(halved, LABELS, methods, 2).axes
    assert [bar.get_width() for bar in left.patches] == [0.25, 0.5, 0, 0]
    assert [bar.get_width() for bar in right.patches] == [0.5] * 4
    assert [text.get_text() for text in left.texts] == ["0.25", "0.50", "none", "none"]
    assert "no halves" in stability_figure(measured, LABELS, methods, 1).axes[0].get_xlabel()
    counts = pd.DataFrame(
        [
            (label, code, layer, 3 - layer, 1)
            for label in methods.index
            for code in LANGUAGES
            for layer in (0, 1)
        ],
        columns=["mask_set", "language", "layer", "neurons", "seeds"],
    )
    panels = mask_layers(counts, LABELS, methods).axes
    assert panels[0].lines[1].get_ydata().tolist() == [3 / 5, 2 / 5]
    assert tensor(panels[0].lines[0].get_ydata()).tolist() == [0.5, 0.5]
