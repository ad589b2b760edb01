"""What histograms say, against scikit-learn and sums over single samples."""

import numpy as np
import pytest
from crane.relevance.accumulated_columns import BINS
from crane.relevance.histogram_statistics import auroc, average_precision, beyond, medians, overlaps
from sklearn.metrics import average_precision_score, roc_auc_score

L, I = 3, 7  # noqa: E741


def counted(values, labels):
    """Return values `[n]` as counts `[L, 1, B]` in one bin each of 0 ... `BINS` + 1."""
    found = np.zeros((L, 1, BINS + 2), int)
    np.add.at(found, (labels, 0, values), 1)
    return found


def test_with_a_bin_for_each_sample_it_is_the_average_precision_of_scikit_learn():
    rng = np.random.default_rng(0)
    values, labels = rng.permutation(BINS + 2), rng.integers(0, L, BINS + 2)
    found, low, high = average_precision(counted(values, labels))
    for row in range(L):
        expected = average_precision_score(labels == row, values)
        for each in (found, low, high):
            assert each[row, 0] == pytest.approx(expected, abs=1e-12)


def one_by_one(own, others, ahead):
    """Return the average precision of bins from the highest on; `ahead(i, a, b)` negatives are before the i-th."""
    positives = negatives = total = 0.0
    for a, b in zip(own[::-1], others[::-1], strict=True):
        for i in range(1, a + 1):
            total += (positives + i) / (positives + i + negatives + ahead(i, a, b))
        positives, negatives = positives + a, negatives + b
    return total / positives


def test_within_a_bin_negatives_are_spread_and_the_bounds_have_them_first_or_last():
    histograms = np.random.default_rng(1).integers(0, 6, (L, I, BINS + 2))
    histograms[:, 0, :60] = 0  # few bins
    ways = (lambda i, a, b: b * i / (a + 1), lambda i, a, b: b, lambda i, a, b: 0)
    for grid, ahead in zip(average_precision(histograms), ways, strict=True):
        for row in range(L):
            for neuron in range(I):
                own = histograms[row, neuron]
                others = histograms[:, neuron].sum(0) - own
                assert grid[row, neuron] == pytest.approx(one_by_one(own, others, ahead), abs=1e-12)


def test_the_average_precision_of_the_values_is_within_the_bounds():
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(L), [120, 150, 90])
    for shift in (0.0, 0.5, 2.0):
        values = rng.normal(size=len(labels)) + shift * (labels == 1)
        bins = np.clip(np.floor((values + 4) / 10 * BINS).astype(int) + 1, 0, BINS + 1)
        found, low, high = (grid[:, 0] for grid in average_precision(counted(bins, labels)))
        exact = np.array([average_precision_score(labels == row, values) for row in range(L)])
        assert (low <= exact).all() and (exact <= high).all() and (low < high).all()
        assert np.abs(found - exact).max() < 0.01


def test_the_area_is_that_of_scikit_learn_with_ties_by_half():
    rng = np.random.default_rng(3)
    labels, values = rng.integers(0, L, 400), rng.integers(0, BINS + 2, 400)
    found = auroc(counted(values, labels))
    for row in range(L):
        assert found[row, 0] == pytest.approx(roc_auc_score(labels == row, values), abs=1e-12)


def test_a_neuron_of_one_value_is_no_better_than_chance():
    histograms = np.zeros((L, 1, BINS + 2), int)
    histograms[:, 0, 33] = 50
    np.testing.assert_array_equal(auroc(histograms), 0.5)
    found, low, high = average_precision(histograms)
    assert ((low < 1 / L) & (found > 1 / L - 0.01) & (found < 1 / L + 0.01) & (high == 1)).all()


def test_the_median_is_within_a_bins_width_of_that_of_the_values():
    rng = np.random.default_rng(4)
    values = rng.normal(3.0, 0.5, (501, I))
    histogram = np.zeros((I, BINS + 2), int)
    bins = np.clip(np.floor((values - 1) / 4 * BINS).astype(int) + 1, 0, BINS + 1)
    for neuron in range(I):
        np.add.at(histogram[neuron], bins[:, neuron], 1)
    edges = np.array([[1.0] * I, [5.0] * I])
    assert np.abs(medians(histogram, edges) - np.median(values, axis=0)).max() < 4 / BINS
    alone = np.zeros((3, BINS + 2), int)
    alone[0, 0] = alone[1, -1] = 9
    alone[2, 1] = alone[2, BINS] = 4  # half in the first and half in the last bin
    np.testing.assert_allclose(medians(alone, edges[:, :3]), [1, 5, 1 + 4 / BINS])
    np.testing.assert_array_equal(beyond(alone), [1, 1, 0])


def test_equal_distributions_overlap_whole_and_disjoint_ones_not_at_all():
    histograms = np.zeros((L, 2, BINS + 2), int)
    histograms[0, 0, 5:9] = [1, 2, 3, 4]
    histograms[1, 0, 5:9] = [10, 20, 30, 40]
    histograms[2, 0, 0] = 7
    histograms[:, 1, 5:7] = [[4, 0], [3, 1], [1, 3]]
    found = overlaps(histograms)
    np.testing.assert_allclose(found[:, :, 0], [[1, 1, 0], [1, 1, 0], [0, 0, 1]], atol=1e-15)
    np.testing.assert_allclose(found[:, :, 1], [[1, 0.75, 0.25], [0.75, 1, 0.5], [0.25, 0.5, 1]])
    np.testing.assert_array_equal(found, found.transpose(1, 0, 2))
