"""What every selection shares: the highest-ranked neurons, and the error of a selection that fails."""

import numpy as np

from crane.errors import CraneError


class SelectionError(CraneError, ValueError):
    """A rule selected no neuron for a language, or more were asked for than exist."""


def highest_ranked(values: np.ndarray, count: int) -> np.ndarray:
    """Return bool of the shape of `values`: its `count` highest; ties go to the lower index."""
    flags = np.zeros(values.size, bool)
    flags[np.argsort(-values, axis=None, kind="stable")[:count]] = True
    return flags.reshape(values.shape)
