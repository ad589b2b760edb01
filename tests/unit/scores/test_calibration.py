"""Rank correlations, ceilings and intervals of the calibration against scipy and against simulation."""

import numpy as np
import pandas as pd
import pytest
from crane.scores.calibration import MEASURES, calibrate, ceiling_of, measures, midranks, weighted_correlation
from scipy.stats import rankdata, spearmanr

LANGUAGES = ["en", "zh", "vi"]
LAYERS, WIDTH = 3, 60


def effects(seed=0, noise=1.0, singles=60, groups=20):
    """Return effects with known truth: true changes `[L, K, I]`, and the table of what noisy halves show of them."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(len(LANGUAGES), LAYERS, WIDTH))
    distinct, rows = rng.permutation(WIDTH), []
    for kind, count, size in (("neuron", singles, 1), ("group", groups, 5)):
        for unit in range(count):
            layer = unit % LAYERS
            single = kind == "neuron"
            neurons = (
                distinct[[unit // LAYERS]] if single else np.sort(rng.choice(WIDTH, size, replace=False))
            )
            for row, language in enumerate(LANGUAGES):
                even, odd = true[row, layer, neurons].sum() + noise * np.sqrt(size) * rng.normal(size=2)
                rows.append((kind, unit, layer, neurons.tolist(), language, (even + odd) / 2, even, odd))
    columns = ["kind", "unit", "layer", "neurons", "language", "change", "change_even", "change_odd"]
    return true, pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize("seed", range(3))
def test_midranks_in_resamples_are_those_of_the_repeated_values(seed):
    rng = np.random.default_rng(seed)
    values, other = rng.integers(0, 6, 20) / 2, rng.normal(size=20)
    weights = rng.multinomial(20, np.full(20, 1 / 20), size=5).astype(float)
    ranks, others = midranks(values, weights), midranks(other, weights)
    correlations = weighted_correlation(ranks, others, weights)
    for row, counts in enumerate(weights.astype(int)):
        np.testing.assert_allclose(ranks[row].repeat(counts) + 0.5, rankdata(values.repeat(counts)))
        expected = spearmanr(values.repeat(counts), other.repeat(counts)).statistic
        assert correlations[row] == pytest.approx(expected)


def test_measures_compare_a_language_with_the_others():
    changes = np.array([[3.0, 1.0], [1.0, 4.0], [2.0, -2.0]])
    found = measures(changes)
    np.testing.assert_array_equal(found["change"], changes)
    np.testing.assert_array_equal(found["specific"], [[1, -3], [-2, 3], [-1, -6]])
    np.testing.assert_array_equal(found["specific_mean"], [[1.5, 0], [-1.5, 4.5], [0, -4.5]])


def test_a_row_is_what_scipy_says():
    true, table = effects()
    scores = {"true": true, "other": np.random.default_rng(9).normal(size=true.shape)}
    scores["other"][0, 0, :10] = np.nan
    found = calibrate(table, scores, LANGUAGES, resamples=200).set_index(
        ["kind", "measure", "criterion", "language"]
    )
    assert len(found) == 2 * len(MEASURES) * 2 * 3
    for kind, rows in table.groupby("kind"):
        wide = {
            of: rows.pivot(index="language", columns="unit", values=of).loc[LANGUAGES].to_numpy()
            for of in ("change", "change_even", "change_odd")
        }
        units = rows.drop_duplicates("unit")
        for name, values in scores.items():
            sums = [
                np.nansum(values[:, k, n], 1) for k, n in zip(units["layer"], units["neurons"], strict=True)
            ]
            known = [
                np.isfinite(values[:, k, n]).any(1)
                for k, n in zip(units["layer"], units["neurons"], strict=True)
            ]
            for row, language in enumerate(LANGUAGES):
                defined = np.array(known)[:, row]
                for measure in MEASURES:
                    one = found.loc[kind, measure, name, language]
                    effect = {of: measures(changes)[measure][row] for of, changes in wide.items()}
                    expected = spearmanr(np.array(sums)[defined, row], effect["change"][defined]).statistic
                    assert one["spearman"] == pytest.approx(expected) and one["units"] == defined.sum()
                    halves = spearmanr(effect["change_even"], effect["change_odd"]).statistic
                    assert one["half_correlation"] == pytest.approx(halves)
                    assert one["reliability"] == pytest.approx(2 * halves / (1 + halves))
                    assert one["of_ceiling"] == pytest.approx(expected / np.sqrt(one["reliability"]))
                    assert one["low"] < one["spearman"] < one["high"]
                    assert one["of_ceiling_low"] < one["of_ceiling"] < one["of_ceiling_high"]
    assert (found.loc["neuron", "change", "other", "en"]["units"]) < 60


def test_halves_that_disagree_leave_no_ceiling():
    np.testing.assert_allclose(ceiling_of(np.array([1.0, 1 / 3])), [1, np.sqrt(0.5)])
    assert np.isnan(ceiling_of(np.array([0.0, -0.2]))).all()
    true, table = effects()
    table["change_odd"] = -table["change_even"]
    found = calibrate(table, {"true": true}, LANGUAGES, resamples=100)
    change = found[found["measure"] == "change"]
    assert change["spearman"].notna().all()
    assert change[["reliability", "ceiling", "of_ceiling", "of_ceiling_low"]].isna().all(axis=None)


def test_divided_by_the_ceiling_noise_no_longer_matters():
    """The truth correlates with itself by 1, however noisy its measurement is."""
    found = []
    for seed in range(20):
        true, table = effects(seed, noise=1.5, singles=150, groups=0)
        rows = calibrate(table, {"true": true}, LANGUAGES, resamples=100)
        found.append(rows[rows["measure"] == "change"])
    rows = pd.concat(found)
    assert rows["spearman"].mean() < 0.75
    assert rows["of_ceiling"].mean() == pytest.approx(1, abs=0.03)


def test_the_interval_contains_the_truth_as_often_as_it_says():
    inside = []
    for seed in range(40):
        true, table = effects(seed, noise=0.7, singles=90, groups=0)
        score = 0.6 * true + 0.8 * np.random.default_rng([seed, 7]).normal(size=true.shape)
        rows = calibrate(table, {"score": score}, LANGUAGES, resamples=200, seed=seed)
        rows = rows[rows["measure"] == "change"]
        pearson = 0.6 / np.sqrt(1 + 0.7**2 / 2)
        spearman = 6 / np.pi * np.arcsin(pearson / 2)
        inside += ((rows["low"] <= spearman) & (spearman <= rows["high"])).tolist()
    assert 0.9 <= np.mean(inside) <= 0.985


def test_the_resamples_are_seeded():
    true, table = effects()
    one, again, other = (calibrate(table, {"true": true}, LANGUAGES, resamples=50, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one, again)
    assert (one["low"] != other["low"]).any()
