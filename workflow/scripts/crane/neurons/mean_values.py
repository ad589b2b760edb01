"""The values of the intervention `mean`: each neuron's mean value, all languages weighing the same."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crane.artefacts import read_table

COLUMNS = ["language", "layer", "neuron", "mean_value"]
"""Columns of the statistics tables (`crane.relevance.statistics.layer_table`) that are read here."""


def balanced(table: pd.DataFrame) -> np.ndarray:
    """Return float64 `[K, I]`: the mean over the languages of each neuron's mean value over that language's tokens.

    A language with more tokens counts no more than another: its own value would else be put in place of the masked one.
    With experts, values are means over the tokens routed to a neuron; a language without such tokens does not count,
    and a neuron to which no language has routed any has 0. `table` holds `COLUMNS` of all layers.
    """
    values = table.groupby(["layer", "neuron"])["mean_value"].mean().unstack().to_numpy()
    return np.nan_to_num(values, nan=0.0)


def intervention(settings: Mapping[str, Any], tables: Sequence[str | Path]) -> dict[str, Any]:
    """Return a mask set's intervention as arguments of `Engine.masked`.

    Args:
        settings: `{"scale": a}`, `{"mean": True}`, or empty for a mask.
        tables: statistics tables of all layers of the identification model; needed for `mean` only.
    """
    if settings.get("mean"):
        return {"values": balanced(pd.concat([read_table(path, COLUMNS) for path in tables]))}
    return dict(settings)
