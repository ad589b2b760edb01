"""Tables of statistics with made-up columns."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from support.neurons import LANGUAGES


def statistics(**grids: np.ndarray) -> pd.DataFrame:
    """Return the layers' tables with columns from arrays `[L, K, I]`."""
    return as_table(grids)


def as_table(grids: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return the layers' tables with columns from arrays `[L, K, I]` by name."""
    shape = next(iter(grids.values())).shape
    rows, layers, neurons = (axis.ravel() for axis in np.indices(shape))
    languages = np.array(LANGUAGES)[rows]
    columns = {name: grid.ravel() for name, grid in grids.items()}
    return pd.DataFrame({"language": languages, "layer": layers, "neuron": neurons, **columns})
