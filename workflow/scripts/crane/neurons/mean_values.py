"""What interventions set neurons to: their means, all languages weighing the same, or values in other documents."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError, safe_open

from crane.artefacts import ArtefactError, read_table

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


def intervention(
    settings: Mapping[str, Any], tables: Sequence[str | Path], donors: Sequence[str | Path] = ()
) -> dict[str, Any]:
    """Return a mask set's intervention as arguments of `Engine.masked`.

    Args:
        settings: `{"scale": a}`, `{"mean": True}`, `{"resample": seed}`, or empty for a mask.
        tables: statistics tables of all layers of the identification model; needed for `mean` only.
        donors: files of `crane.neurons.donor_values`, named after their seeds; needed for `resample` only.
    """
    if settings.get("resample"):
        seed = str(settings["resample"])
        return {"values": read_values(next(path for path in donors if Path(path).stem == seed))}
    if settings.get("mean"):
        return {"values": balanced(pd.concat([read_table(path, COLUMNS) for path in tables]))}
    return dict(settings)


def read_values(path: str | Path) -> np.ndarray:
    """Return float32 `[P, K, I]` of a file of `crane.neurons.donor_values`.

    Raises:
        ArtefactError: the file is truncated or another one.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return file.get_tensor("values").float().numpy()
    except (SafetensorError, OSError) as error:
        raise ArtefactError(
            f"{path}: no readable values of neurons ({error}); delete it and run again"
        ) from error
