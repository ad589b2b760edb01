"""The values of the intervention `mean`: each neuron's mean over the tokens of all languages."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crane.artefacts import read_table

COLUMNS = ["language", "layer", "neuron", "counted", "mean_value"]
"""Columns of the statistics tables (`crane.relevance.statistics.layer_table`) that are read here."""


def pooled(table: pd.DataFrame) -> np.ndarray:
    """Return float64 `[K, I]`: each neuron's mean value over the counted tokens of all languages together.

    `table` holds `COLUMNS` of all layers.
    """
    total = (
        (table["mean_value"] * table["counted"]).groupby([table["layer"], table["neuron"]]).sum().unstack()
    )
    return total.to_numpy() / table.groupby("language")["counted"].first().sum()


def intervention(settings: Mapping[str, Any], tables: Sequence[str | Path]) -> dict[str, Any]:
    """Return a mask set's intervention as arguments of `Engine.masked`.

    Args:
        settings: `{"scale": a}`, `{"mean": True}`, or empty for a mask.
        tables: statistics tables of all layers of the identification model; needed for `mean` only.
    """
    if settings.get("mean"):
        return {"values": pooled(pd.concat([read_table(path, COLUMNS) for path in tables]))}
    return dict(settings)
