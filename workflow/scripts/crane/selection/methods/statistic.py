"""CRANE and this project's own criterion: a statistic of each language's relevances."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crane.selection.columns import grid


def columns(settings: Mapping[str, Any]) -> list[str]:
    """Return the column of the statistic; CRANE's is the kurtosis (Eq. 2)."""
    return [settings.get("statistic", "kurtosis")]


def scores(table: pd.DataFrame, languages: Sequence[str], settings: Mapping[str, Any]) -> np.ndarray:
    """Return the statistic, `[L, K, I]`."""
    return grid(table, columns(settings)[0], languages)
