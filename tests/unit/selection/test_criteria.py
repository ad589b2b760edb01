"""The order of a mask set ranks its own neurons first, and sets that differ in their size alone share one."""

import numpy as np
import pandas as pd
import pytest
from crane.selection.choose import choose
from crane.selection.criteria import STATISTICS, order_columns, order_settings, orders, statistics
from support.neurons import LANGUAGES, flags

LAYERS, WIDTH, TOKENS = 2, 50, 1000
SIZE = LAYERS * WIDTH
CRANE = {"method": "crane", "normalise": "layer", "rule": "margin", "budget": {"fraction": 0.1}}
DISPERSION = {"method": "dispersion", "statistic": "std", "normalise": "none", "rule": "margin"}
LAPE = {"filter_rate": 0.8, "activation_bar_ratio": 0.8}
TERNARY = {
    "method": "ternary",
    "kind": "specific",
    "top_rate": 0.1,
    "activation_bar_ratio": 0.8,
    "weight": 0.1,
}
SETS = {
    "crane": CRANE,
    "crane_count": {**CRANE, "budget": {"count": 7}},
    "contrast": {"method": "crane", "normalise": "layer", "rule": "contrast", "threshold": 1},
    "target": {"method": "crane", "normalise": "layer", "rule": "target_only", "budget": {"count": 9}},
    "global": {**CRANE, "normalise": "global"},
    "dispersion": {**DISPERSION, "budget": {"count": 8}},
    "difference": {**DISPERSION, "contrast": "difference", "budget": {"count": 8}},
    "activation": {"method": "activation", "statistic": "probability", "normalise": "none", "rule": "margin",
                   "budget": {"count": 8}},
    "lape": {"method": "lape", "top_rate": 0.1, **LAPE},
    "lape_matched": {"method": "lape_matched", "match": "crane_count", **LAPE},
    "ternary": {**TERNARY, "budget": {"count": 6}},
}  # fmt: skip


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    rows = pd.MultiIndex.from_product(
        [LANGUAGES, range(LAYERS), range(WIDTH)], names=["language", "layer", "neuron"]
    ).to_frame(index=False)
    count = len(rows)
    active = rng.integers(0, TOKENS, count)
    return rows.assign(
        kurtosis=rng.gamma(2, size=count), std=rng.gamma(2, size=count), mean=rng.normal(size=count),
        mean_abs=rng.gamma(2, size=count), z=rng.normal(size=count), active=active, tokens=TOKENS,
        activation_probability=active / TOKENS,
    )  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_the_neurons_of_a_set_are_the_first_of_its_order(table, name):
    settings = SETS[name]
    (criterion,) = orders({"": table}, {name: settings}, LANGUAGES, "intermediate")
    assert (criterion.name, criterion.mask_sets) == (f"order_{name}", (name,))
    assert np.isfinite(criterion.scores).all()
    counts = dict.fromkeys(LANGUAGES, 7)
    chosen = flags(choose(table, settings, LANGUAGES, counts=counts)[0], criterion.scores.shape)
    assert chosen.any(axis=(1, 2)).all()
    if settings["rule"] == "contrast" if "rule" in settings else False:
        return  # chosen are those above the threshold, in the order of their margins
    for row in range(len(LANGUAGES)):
        assert criterion.scores[row][chosen[row]].min() >= criterion.scores[row][~chosen[row]].max()


def test_sets_that_differ_in_their_size_share_an_order(table):
    found = [one.mask_sets for one in orders({"": table}, SETS, LANGUAGES, "intermediate")]
    assert found == [
        ("crane", "crane_count", "contrast"), ("target",), ("global",), ("dispersion",), ("difference",),
        ("activation",), ("lape", "lape_matched"), ("ternary",),
    ]  # fmt: skip


def test_sets_of_a_variant_are_ordered_by_its_relevance(table):
    other = table.assign(kurtosis=table["kurtosis"].to_numpy()[::-1])
    sets = {"own": CRANE, "variant": {**CRANE, "relevance": "logprob"}}
    own, variant = orders({"": table, "logprob": other}, sets, LANGUAGES, "intermediate")
    (alone,) = orders({"": other}, {"own": CRANE}, LANGUAGES, "intermediate")
    np.testing.assert_array_equal(variant.scores, alone.scores)
    assert not np.array_equal(own.scores, variant.scores)


def test_neurons_without_a_score_stay_undefined(table):
    some = table.copy()
    some.loc[(some["layer"] == 0) & (some["neuron"] == 3) & (some["language"] == "zh"), "kurtosis"] = np.nan
    (criterion,) = orders({"": some}, {"crane": CRANE}, LANGUAGES, "intermediate")
    assert np.isnan(criterion.scores[:, 0, 3]).all() and np.isnan(criterion.scores).sum() == len(LANGUAGES)


def test_statistics_are_those_of_the_tables(table):
    found = {one.name: one.scores for one in statistics(table, LANGUAGES)}
    assert list(found) == list(STATISTICS)
    np.testing.assert_array_equal(found["abs_mean"], np.abs(found["mean"]))
    assert (
        found["std"][2, 1, 4] == table.query("language == 'vi' and layer == 1 and neuron == 4")["std"].item()
    )
    without = table.drop(columns=["active", "tokens", "activation_probability"])
    assert "activation_probability" not in {one.name for one in statistics(without, LANGUAGES)}


def test_only_what_an_order_reads_is_asked_for():
    needed = order_columns({"lape": SETS["lape"], "dispersion": SETS["dispersion"]})
    assert needed == ["active", "language", "layer", "neuron", "std", "tokens"]
    assert order_settings(SETS["lape"], SIZE) == {"method": "lape_matched", **LAPE}
