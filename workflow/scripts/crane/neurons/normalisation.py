"""Put a statistic of all neurons on a comparable scale."""

from typing import Literal

import numpy as np

Normalise = Literal["layer", "global", "rank", "minmax", "none"]


def _z_score(values: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    mean = np.nanmean(values, axis=axes, keepdims=True)
    std = np.nanstd(values, axis=axes, keepdims=True)
    # Rounding may shift the mean of equal values; their standard deviation is then not exactly 0.
    differ = np.nanmax(values, axis=axes, keepdims=True) > np.nanmin(values, axis=axes, keepdims=True)
    return np.divide(values - mean, std, out=np.zeros_like(values), where=differ & (std > 0)) + 0 * values


def normalise(values: np.ndarray, how: Normalise) -> np.ndarray:
    """Return `values` `[L, K, I]` on a comparable scale; NaN stays NaN and is ignored.

    `layer`: z-score within each language and layer (the paper); `global`: z-score within each language over all
    layers (the authors' code); `rank`: rank / number of defined neurons within the layer, in (0, 1]; `minmax`:
    to [0, 1] within the layer; `none`.
    """
    values = np.asarray(values, np.float64)
    if how == "layer":
        return _z_score(values, (2,))
    if how == "global":
        return _z_score(values, (1, 2))
    if how == "rank":
        # Importing it takes longer than most jobs that normalise something, and few ask for ranks.
        from scipy.stats import rankdata

        ranks = rankdata(values, axis=2, nan_policy="omit")
        return ranks / np.isfinite(values).sum(2, keepdims=True)
    if how == "minmax":
        low, high = np.nanmin(values, 2, keepdims=True), np.nanmax(values, 2, keepdims=True)
        return (values - low) / np.where(high > low, high - low, 1.0)
    if how == "none":
        return values
    raise ValueError(f"unknown normalisation {how!r}; known: layer, global, rank, minmax, none")
