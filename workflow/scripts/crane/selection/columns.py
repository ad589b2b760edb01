"""Columns of the per-layer statistics tables as arrays `[L, K, I]`: languages, layers, neurons per layer."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor


def grid(table: pd.DataFrame, column: str, languages: Sequence[str]) -> np.ndarray:
    """Return one column of the layers' tables together as `[L, K, I]`."""
    ordered = table.sort_values(["layer", "neuron"])
    layers = ordered["layer"].nunique()
    rows = [ordered.loc[ordered["language"] == language, column].to_numpy() for language in languages]
    return np.stack([row.reshape(layers, -1) for row in rows])


class Activations(NamedTuple):
    """LAPE's counters."""

    active: Tensor
    """int64 `[L, K, I]`"""
    tokens: Tensor
    """int64 `[L]`"""


def activations(table: pd.DataFrame, languages: Sequence[str]) -> Activations:
    """Return LAPE's counters from the layers' tables together."""
    tokens = [int(table.loc[table["language"] == language, "tokens"].iloc[0]) for language in languages]
    return Activations(torch.from_numpy(grid(table, "active", languages)), torch.tensor(tokens))
