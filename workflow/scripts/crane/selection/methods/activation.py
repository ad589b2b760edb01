"""Baselines without gradients: how often and how strongly neurons are active, and how much they write."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crane.selection.columns import grid

COLUMNS = {
    "probability": ["activation_probability"],
    "mean_value": ["mean_value"],
    "effect_size": ["mean_value", "value_std"],
    "energy": ["energy"],
}
"""Statistic -> the columns that it is made of."""


def columns(settings: Mapping[str, Any]) -> list[str]:
    """Return the columns of the statistic."""
    return COLUMNS[settings["statistic"]]


def contrasted(settings: Mapping[str, Any]) -> bool:
    """Return whether a score compares its language with the others already."""
    return settings["statistic"] == "effect_size"


def scores(table: pd.DataFrame, languages: Sequence[str], settings: Mapping[str, Any]) -> np.ndarray:
    """Return the statistic, `[L, K, I]`."""
    values = [grid(table, column, languages) for column in columns(settings)]
    return effect_size(*values) if contrasted(settings) else values[0]


def effect_size(mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return the effect size of each language's values against the language to which they are closest, `[L, K, I]`.

    d = (mean - mean_o) / sqrt((std^2 + std_o^2) / 2), the smallest over the other languages o; NaN where a neuron is
    constant in both.

    Args:
        mean, std: of the neuron's value over the tokens of each language, `[L, K, I]`.
    """
    found = np.empty_like(mean)
    for row in range(len(mean)):
        others = [other for other in range(len(mean)) if other != row]
        pooled = np.sqrt((std[row] ** 2 + std[others] ** 2) / 2)
        difference = mean[row] - mean[others]
        effects = np.divide(difference, pooled, out=np.full_like(pooled, np.nan), where=pooled > 0)
        found[row] = effects.min(0)
    return found
