"""What every selection shares: the highest-ranked neurons, and the error of a selection that fails."""

import numpy as np

from crane.errors import CraneError


class SelectionError(CraneError, ValueError):
    """A rule selected no neuron for a language, or more were asked for than exist."""


def check_budget(count: int, neurons: int, language: str) -> None:
    """Refuse a budget that is no number of neurons of the model.

    Raises:
        SelectionError: it is below 1 or above the number of neurons.
    """
    if count < 1:
        raise SelectionError(
            f"a budget of {count} of {neurons} neurons is none; raise mask_sets.<name>.budget"
        )
    if count > neurons:
        raise SelectionError(f"language {language!r}: {count} neurons asked for, {neurons} exist")


def highest_ranked(values: np.ndarray, count: int) -> np.ndarray:
    """Return bool of the shape of `values`: its `count` highest; ties go to the lower index."""
    flags = np.zeros(values.size, bool)
    flags[np.argsort(-values, axis=None, kind="stable")[:count]] = True
    return flags.reshape(values.shape)


def kth_smallest(values: np.ndarray, quantile: float) -> float:
    """Return the round(quantile * n)-th smallest value, the percentile as LAPE and the ternary rule define it."""
    flat = np.sort(values, axis=None)
    return float(flat[min(max(round(quantile * flat.size), 1), flat.size) - 1])
