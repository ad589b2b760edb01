"""Agreement of two judges against its definitions."""

import numpy as np
import pytest
from crane.scores.agreement import quadratic_kappa, spearman
from scipy.stats import pearsonr, rankdata


def kappa_by_definition(one, other, highest=10):
    """1 - observed / expected disagreement, squared differences, by the definition (Cohen 1968)."""
    table = np.zeros((highest, highest))
    for a, b in zip(one, other, strict=True):
        table[a - 1, b - 1] += 1
    weights = np.subtract.outer(np.arange(highest), np.arange(highest)) ** 2
    expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
    return 1 - (weights * table).sum() / (weights * expected).sum()


def test_agreement_by_its_definitions():
    rng = np.random.default_rng(0)
    one = rng.integers(1, 11, 300)
    other = np.clip(one + rng.integers(-2, 3, 300), 1, 10)
    assert quadratic_kappa(one, other) == pytest.approx(kappa_by_definition(one, other))
    assert spearman(one, other) == pytest.approx(pearsonr(rankdata(one), rankdata(other)).statistic)
    assert quadratic_kappa(one, one) == pytest.approx(1) and spearman(one, one) == pytest.approx(1)
    assert quadratic_kappa(np.array([1, 2, 3]), np.array([3, 2, 1])) == pytest.approx(-1)
    assert quadratic_kappa(one + 0.3, other - 0.4) == pytest.approx(quadratic_kappa(one, other))
    for undefined in (quadratic_kappa, spearman):
        assert np.isnan(undefined(np.array([5, 5]), np.array([5, 5])))
        assert np.isnan(undefined(np.array([]), np.array([])))
