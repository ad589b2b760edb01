"""The bootstrap against a loop over resamples and against theory."""

import numpy as np
import pandas as pd
import pytest
from crane.scores.bootstrap import (
    CONFIDENCE,
    bootstrap_means,
    interval,
    interval_of_smallest,
    joint_high,
    resampling_weights,
)


def design(rng: np.random.Generator) -> tuple[list[str], list[int]]:
    """Return three strata of 40 items; the third has clusters of 1 to 4 items, named as the others' are."""
    strata = ["law"] * 40 + ["physics"] * 40 + ["reading"] * 40
    passages = np.sort(rng.permutation(np.repeat(np.arange(16), [1, 2, 3, 4] * 4)))
    return strata, [*range(40), *range(40), *passages.tolist()]


def weights(strata: list, clusters: list, resamples: int, seed: int, **options: int) -> np.ndarray:
    return np.concatenate(list(resampling_weights(strata, clusters, resamples, (seed,), **options)))


def test_weights_draw_whole_clusters_within_each_stratum():
    strata, clusters = design(np.random.default_rng(0))
    order = np.random.default_rng(1).permutation(len(strata))
    items = pd.DataFrame({"stratum": strata, "cluster": clusters}).iloc[order].reset_index(drop=True)
    drawn = weights(items["stratum"].tolist(), items["cluster"].tolist(), 301, 7, chunk=100)
    assert drawn.shape == (301, 120)
    assert (drawn == drawn.round()).all() and (drawn >= 0).all() and len(np.unique(drawn, axis=0)) == 301
    for _, stratum in items.groupby("stratum"):
        total = np.zeros(301)
        for _, members in stratum.groupby("cluster"):
            first = drawn[:, members.index[0]]
            assert (drawn[:, members.index] == first[:, None]).all()
            total += first
        assert (total == stratum["cluster"].nunique()).all()
    # Cluster 3 exists in each stratum, and is drawn in each for itself.
    same = items.index[items["cluster"] == 3]
    assert len(np.unique(drawn[:, same], axis=1).T) > 1


def test_weights_of_single_items_are_a_multinomial_draw():
    drawn = weights(["x"] * 50, list(range(50)), 4000, 3)
    assert (drawn.sum(axis=1) == 50).all()
    assert drawn.mean(axis=0) == pytest.approx(np.ones(50), abs=0.1)
    assert drawn.var(axis=0).mean() == pytest.approx(1 - 1 / 50, rel=0.05)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_means_and_interval_equal_a_loop_over_resamples(missing: float):
    rng = np.random.default_rng(4)
    strata, clusters = design(rng)
    values = rng.integers(1, 11, (3, len(strata))).astype(float)
    values[rng.random(values.shape) < missing] = np.nan
    means = bootstrap_means(values, strata, clusters, resamples=700, seed=(5,))
    assert means.shape == (700, 3) and means.dtype == np.float64
    expected = np.empty_like(means)
    for resample, weight in enumerate(weights(strata, clusters, 700, 5)):
        for condition, row in enumerate(values):
            expected[resample, condition] = np.nanmean(np.repeat(row, weight.astype(int)))
    np.testing.assert_allclose(means, expected, rtol=1e-6)
    low, high = interval(means)
    np.testing.assert_allclose([low, high], np.percentile(expected, [2.5, 97.5], axis=0), rtol=1e-6)


def test_the_mean_and_spread_of_the_means_are_those_of_theory():
    """Unclustered: the standard error s / sqrt(n). Clusters of four equal items: twice that."""
    rng = np.random.default_rng(6)
    single = rng.integers(0, 2, 200).astype(float)
    alone = bootstrap_means([single], [""] * 200, list(range(200)), resamples=4000)[:, 0]
    assert alone.mean() == pytest.approx(single.mean(), abs=0.002)
    assert alone.std() == pytest.approx(single.std() / np.sqrt(200), rel=0.05)
    repeated = np.repeat(single[:50], 4)
    clustered = bootstrap_means([repeated], [""] * 200, np.repeat(range(50), 4), resamples=4000)[:, 0]
    assert clustered.mean() == pytest.approx(repeated.mean(), abs=0.005)
    assert clustered.std() == pytest.approx(2 * repeated.std() / np.sqrt(200), rel=0.05)


def test_strata_keep_their_share():
    """Two subjects, all right and all wrong: no resample changes the mean."""
    values = [[1.0] * 30 + [0.0] * 10]
    means = bootstrap_means(values, ["a"] * 30 + ["b"] * 10, list(range(40)), resamples=100)
    assert (means == 0.75).all()


def test_all_conditions_see_the_same_resample():
    values = np.random.default_rng(7).uniform(1, 10, 71)
    means = bootstrap_means([values, values + 2, values], [""] * 71, list(range(71)), resamples=600)
    np.testing.assert_array_equal(means[:, 0], means[:, 2])
    np.testing.assert_allclose(means[:, 1] - means[:, 0], 2, rtol=1e-5)


def test_missing_values_are_left_out_and_a_resample_without_any_value_has_no_mean():
    values = [[1.0, np.nan], [1.0, 0.0]]
    means = bootstrap_means(values, ["", ""], [0, 1], resamples=200)
    assert set(means[np.isfinite(means[:, 0]), 0]) == {1.0} and np.isnan(means[:, 0]).any()
    assert set(means[:, 1]) == {0.0, 0.5, 1.0}
    low, high = interval(means)
    assert (low[0], high[0]) == (1.0, 1.0)


def test_draws_depend_on_the_seed_alone():
    values, strata, clusters = [[0.0, 1.0] * 20], [""] * 40, list(range(40))
    first, again, other, longer = (
        bootstrap_means(values, strata, clusters, resamples=300, seed=seed)
        for seed in ((1, 2), (1, 2), (2, 2), (1, 2, 3))
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and (first != longer).any()


def test_small_strata_are_pooled():
    """A stratum of one would be in every resample as it is, and its single changed answer would look certain."""
    strata = ["large"] * 30 + ["one"] + ["few"] * 4
    drawn = weights(strata, list(range(35)), 300, 1)
    assert (drawn[:, :30].sum(axis=1) == 30).all() and (drawn[:, 30:].sum(axis=1) == 5).all()
    assert set(drawn[:, 30].astype(int)) >= {0, 1, 2}
    alone = weights(["large"] * 30 + ["one"], list(range(31)), 300, 1)
    assert (alone.sum(axis=1) == 31).all() and (alone[:, 30] == 0).any()


@pytest.mark.parametrize("apart", [0.0, 5.0], ids=["equal", "apart"])
@pytest.mark.parametrize("quantities", [2, 5])
def test_the_interval_of_the_smallest_covers_it_where_percentiles_of_the_smallest_do_not(
    quantities: int, apart: float
) -> None:
    """Means of unit variance whose draws are normal, as those of a bootstrap; the first one is the smallest."""
    rng = np.random.default_rng(1)
    true = np.zeros(quantities)
    true[1:] = apart
    hits = np.zeros(2)
    for _ in range(1000):
        draws = rng.normal(true, 1)[:, None] + rng.normal(size=(quantities, 400))
        of_smallest = interval(draws.min(axis=0))
        for place, (low, high) in enumerate((interval_of_smallest(draws), of_smallest)):
            hits[place] += low <= 0 <= high
    here, plain = hits / 1000
    assert 0.94 <= here <= 0.99
    assert plain < 0.92 if apart == 0 else plain > 0.93


def test_one_quantity_has_its_own_interval() -> None:
    draws = np.random.default_rng(2).normal(size=(1, 500))
    assert interval_of_smallest(draws) == pytest.approx([bound.item() for bound in interval(draws[0])])
    assert joint_high(draws[0], 1) == np.quantile(draws[0], (1 + CONFIDENCE) / 2)
