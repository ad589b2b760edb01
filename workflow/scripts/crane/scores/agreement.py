"""Agreement of judges on the same answers, and what the judges used."""

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from crane.judging.scale import HIGHEST, LOWEST


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Return Spearman's rank correlation, NaN where it is undefined."""
    if len(one) < 2 or len(set(one)) < 2 or len(set(other)) < 2:
        return float("nan")
    return float(spearmanr(one, other).statistic)


def quadratic_kappa(one: np.ndarray, other: np.ndarray) -> float:
    """Return Cohen's kappa with quadratic weights on the whole scale, NaN where it is undefined."""
    rounded = [np.rint(scores).astype(int) for scores in (one, other)]
    if not len(one) or len({*rounded[0], *rounded[1]}) < 2:
        return float("nan")
    scale = list(range(LOWEST, HIGHEST + 1))
    return float(cohen_kappa_score(*rounded, weights="quadratic", labels=scale))
