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
    """int64 `[L]`, or with experts `[L, K, I]`: the tokens routed to each neuron"""


def activations(table: pd.DataFrame, languages: Sequence[str]) -> Activations:
    """Return LAPE's counters from the layers' tables together."""
    of_language = table["tokens"].groupby(table["language"])
    if (of_language.min() == of_language.max()).all():
        first = of_language.first()
        tokens = torch.tensor([int(first[language]) for language in languages])
    else:
        tokens = torch.from_numpy(grid(table, "tokens", languages))
    return Activations(torch.from_numpy(grid(table, "active", languages)), tokens)


def activation_probability(active: Tensor, tokens: Tensor) -> np.ndarray:
    """Return float64 `[L, K, I]`: active / tokens, 0 for a neuron of an expert that has seen no token.

    Args:
        active: int64 `[L, K, I]`.
        tokens: int64 `[L]` or `[L, K, I]`.
    """
    if tokens.ndim == 1:
        return (active.double() / tokens.double().reshape(-1, 1, 1)).numpy()
    return (active.double() / tokens.double().clamp(min=1)).numpy()
