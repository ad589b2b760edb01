"""Stability and overlap of mask sets, measured on small sets by hand."""

import numpy as np
import pandas as pd
import pytest
from crane.neurons.neuron_set import NeuronSet, jaccard
from crane.relevance.moments import Moments
from crane.relevance.shards import Statistics
from crane.relevance.statistics import layer_table
from crane.selection.random_like import random_like
from crane.selection.stability import expected_jaccard, outliers, overlap, split_half, stability
from support import stability_results
from support.stability_results import GROUPS, LANGUAGES, LAYERS, WIDTH
from torch import Generator, full, randn, stack, zeros

SETTINGS = {"method": "crane", "normalise": "none", "rule": "margin", "budget": {"count": 4}}


def indices(**layers: list[int]) -> dict[int, np.ndarray]:
    return {int(name[1:]): np.array(index) for name, index in layers.items()}


def test_expected_jaccard_by_hand():
    assert expected_jaccard({}, indices(l0=[]), 6) == 1, "as of two empty sets themselves"
    assert expected_jaccard({}, indices(l0=[1]), 6) == 0
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
def masks():
    return stability_results.masks()


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


# Both together -------------------------------------------------------------------------------------------


SEEDED = {**GROUPS, "variant": "variant"}


def everything(texts, masks, halves):
    return stability(
        {**masks, "variant": masks["crane"]}, table(texts), halves, {"crane": SETTINGS}, groups=SEEDED,
        variants=["variant"], site="intermediate",
    )  # fmt: skip


def test_stability_has_a_row_per_mask_and_says_what_it_can(texts, masks):
    halves = {
        "even": table({c: x[:200] for c, x in texts.items()}),
        "odd": table({c: x[200:] for c, x in texts.items()}),
    }
    measured = everything(texts, masks, halves)
    assert list(measured.columns[:3]) == ["mask_set", "label", "mask_language"] and len(measured) == 4 * 2
    assert measured.set_index("mask_set")["label"].to_dict() == SEEDED
    alone = outliers(table(texts), masks).set_index(["mask_set", "mask_language"])
    again = split_half(halves, {"crane": SETTINGS}, masks, WIDTH, "intermediate").set_index("mask_language")
    for row in measured.to_dict("records"):
        known = row["mask_set"] != "variant"
        assert pd.notna(row["outlier_share"]) == known, "of a variant's texts nothing is known"
        if known:
            assert row["outlier_share"] == alone.loc[(row["mask_set"], row["mask_language"]), "outlier_share"]
        assert row["neurons"] > 0
        if row["mask_set"] == "crane":
            assert row["split_half"] == again.loc[row["mask_language"], "split_half"]
        else:
            assert np.isnan(row["split_half"]), "only what is chosen from these texts is chosen again"


def test_stability_without_halves_has_the_single_samples_alone(texts, masks):
    measured = everything(texts, masks, {})
    assert "split_half" not in measured and "reason" not in measured
    assert len(measured) == 4 * 2
