"""Exact tests of paired answers, with and without a mask, question by question."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import binom

from crane.names import REFERENCES


def mcnemar(worse: ArrayLike, better: ArrayLike) -> np.ndarray:
    """Return the two-sided p of the exact McNemar test (McNemar 1947), float64 of the counts' shape.

    Without an effect a changed answer is as likely to get worse as better: the smaller count follows
    Binomial(worse + better, 1/2). For answers that are right or wrong this is McNemar's test, for a judge's scores the
    exact sign test. Questions are assumed to be independent.

    Args:
        worse: questions whose answer scores less with the mask (right before, wrong now).
        better: questions whose answer scores more with it.
    """
    smaller, changed = np.minimum(worse, better), np.add(worse, better)
    return np.minimum(1.0, 2 * binom.cdf(smaller, changed, 0.5))


def holm(p: ArrayLike) -> np.ndarray:
    """Return p-values adjusted for their number (Holm 1979), float64 `[m]`: no assumption on their dependence.

    NaN stays NaN and is not counted as a hypothesis.
    """
    values = np.asarray(p, np.float64)
    tested = np.flatnonzero(np.isfinite(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    adjusted = np.full(values.shape, np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(order) else steps
    return adjusted


def over_masks(
    results: pd.DataFrame, p: str = "p", within: Sequence[str] = ("model", "benchmark")
) -> pd.Series:
    """Return Holm's adjusted p of every row: over all masks of one model and benchmark, or suite.

    Reference sets (`REFERENCES`) are no hypotheses: they get NaN and are not counted.

    Args:
        results: `within`, method and `p` (NaN without a mask).
        p: the column to adjust.
        within: what one family of hypotheses has in common.
    """
    tested = results[p].where(~results["method"].isin(REFERENCES))
    return tested.groupby([results[key] for key in within], sort=False).transform(holm)
