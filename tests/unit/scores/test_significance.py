"""The exact tests against scipy's and against Holm's procedure by hand."""

import numpy as np
import pandas as pd
import pytest
from crane.scores.significance import holm, mcnemar, over_masks
from scipy.stats import binomtest


@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (0, 4), (3, 3), (14, 1), (26, 0), (130, 97), (700, 705)])
def test_mcnemar_is_the_exact_binomial_test(counts):
    worse, better = counts
    expected = binomtest(worse, worse + better).pvalue if worse + better else 1.0
    assert float(mcnemar(worse, better)) == pytest.approx(expected, rel=1e-9)
    assert float(mcnemar(better, worse)) == float(mcnemar(worse, better))


def test_mcnemar_of_arrays():
    p = mcnemar([0, 5, 2], [0, 0, 2])
    assert p.tolist() == pytest.approx([1, 2 / 32, 1])


def test_mcnemar_keeps_its_level():
    """With no effect at most 5% of the tests have p < 0.05."""
    rng = np.random.default_rng(0)
    changed = rng.integers(0, 60, 20_000)
    worse = rng.binomial(changed, 0.5)
    assert (mcnemar(worse, changed - worse) < 0.05).mean() <= 0.05


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, np.nan, 0.6]).tolist() == pytest.approx([1.0, np.nan, 1.0], nan_ok=True)
    assert holm([0.2]).tolist() == [0.2] and holm([]).tolist() == []
    assert np.isnan(holm([np.nan, np.nan])).all()


def test_holm_bounds_the_chance_of_any_false_alarm():
    rng = np.random.default_rng(1)
    alarms = [(holm(rng.random(15)) < 0.05).any() for _ in range(4000)]
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.01)


def test_masks_of_one_model_and_benchmark_are_a_family_without_the_references():
    scores = pd.DataFrame(
        [
            ("base", "quiz_en", "original", np.nan),
            ("base", "quiz_en", "crane", 0.01),
            ("base", "quiz_zh", "crane", 0.01),
            ("base", "quiz_en", "lape", 0.04),
            ("base", "quiz_en", "random", 0.001),
            ("base", "quiz_en", "all", 1e-9),
            ("chat", "quiz_en", "crane", 0.02),
        ],
        columns=["model", "benchmark", "method", "p"],
    )
    assert over_masks(scores).tolist() == pytest.approx(
        [np.nan, 0.02, 0.01, 0.04, np.nan, np.nan, 0.02], nan_ok=True
    )
