"""The first-order effect of ablating a neuron on the mean log-probability of a language's tokens.

f(x) - f(x with the neuron set to mu) is, to first order in the neuron's values a, the sum over the tokens of
(a - mu) df/da: the relevance R of input x gradient for mu = 0, and R - mu G with the gradient's sum G otherwise
(attribution patching; Kramar et al. 2024, arXiv 2403.00745). A positive score is a drop of the log-probability.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crane.selection.columns import grid


def columns(settings: Mapping[str, Any]) -> list[str]:
    """Return the columns of the effect: of zero ablation the mean relevance alone."""
    return ["mean"] if settings["effect"] == "zero" else ["mean", "mean_gradient", "mean_value"]


def scores(table: pd.DataFrame, languages: Sequence[str], settings: Mapping[str, Any]) -> np.ndarray:
    """Return the predicted drop of the objective, mean over a language's samples, `[L, K, I]`."""
    values = [grid(table, column, languages) for column in columns(settings)]
    if settings["effect"] == "zero":
        return values[0]
    return mean_ablation(*values, of=settings.get("of", "pooled"))


def mean_ablation(
    relevance: np.ndarray, gradient: np.ndarray, value: np.ndarray, *, of: str = "pooled"
) -> np.ndarray:
    """Return the first-order drop when each neuron is set to its mean value.

    Args:
        relevance: mean relevance of input x gradient, `[L, K, I]`.
        gradient: mean of the gradient's sum over a sample's tokens, `[L, K, I]`.
        value: mean value of the neuron over the tokens of each language, `[L, K, I]`.
        of: `pooled`: the mean over all languages; `others`: over the other languages; languages weigh the same.
    """
    if of == "pooled":
        return relevance - value.mean(0) * gradient
    others = (value.sum(0) - value) / (len(value) - 1)
    return relevance - others * gradient
