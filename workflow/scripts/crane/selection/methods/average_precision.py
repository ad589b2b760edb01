"""Neurons whose mean over a sample tells a language from the others (Kojima et al. 2024, arXiv 2404.02431).

The average precision of the mean as a classifier of "is this language", over the samples of all languages, from
histograms between common edges (`crane.relevance.histogram_statistics`). The authors' released code
(kojima-takeshi188/lang_neuron, commit 5ce59ec) takes the half of a budget with the highest and the half with the lowest
values, among the outputs of all linear layers, attention's and those of the residual stream included; here the MLP's
neurons alone count.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crane.neurons.neuron_set import NeuronSet
from crane.selection.columns import grid

COLUMN = {"average_precision": "ap", "auroc": "auroc"}
"""Estimator -> its column."""
BOUNDS = ["ap_low", "ap_high"]


def columns(settings: Mapping[str, Any]) -> list[str]:
    """Return the estimator's column and its bounds, the samples, and what lies beyond the histograms' edges."""
    bounds = BOUNDS if settings["estimator"] == "average_precision" else []
    return [COLUMN[settings["estimator"]], "count", "sample_overflow", *bounds]


def scores(table: pd.DataFrame, languages: Sequence[str], settings: Mapping[str, Any]) -> np.ndarray:
    """Return an order of all neurons, `[L, K, I]`; above 0 is what is better than chance on the asked side.

    With `side: both` the scores are ranks: the neurons of highest and of lowest value come in turns, and all are above
    0. Chance is 1/2 for AUROC and the language's share of the samples for average precision.
    """
    values = grid(table, COLUMN[settings["estimator"]], languages)
    if settings["side"] == "both":
        return np.stack([1 - in_turns(own.ravel()).reshape(own.shape) / own.size / 2 for own in values])
    samples = grid(table, "count", languages)
    chance = 0.5 if settings["estimator"] == "auroc" else samples / samples.sum(0)
    return values - chance if settings["side"] == "top" else chance - values


def in_turns(values: np.ndarray) -> np.ndarray:
    """Return the place of each value, int64 `[N]`, if the highest and the lowest ones left are taken in turns, from 0.

    The first B places are of the B / 2 highest values (one more, if B is odd) and of the B / 2 lowest ones; equal
    values are taken by number, on both sides.
    """
    descending, ascending = (
        np.argsort(order, kind="stable").argsort(kind="stable") for order in (-values, values)
    )
    return np.minimum(2 * descending, 2 * ascending + 1)


def facts(
    table: pd.DataFrame, languages: Sequence[str], settings: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return, by language, the share of samples beyond the edges of the histograms, over all neurons."""
    beyond = grid(table, "sample_overflow", languages).mean((1, 2))
    return {"overflow": dict(zip(languages, beyond.tolist(), strict=True))}


def facts_of_chosen(
    table: pd.DataFrame, languages: Sequence[str], settings: Mapping[str, Any], neurons: NeuronSet
) -> dict[str, dict[str, Any]]:
    """Return, by language, how many chosen neurons might be none if the order within the bins were known.

    Those whose bounds reach beyond the last value that was chosen on their side.
    """
    if settings["estimator"] == "auroc":
        return {}
    values, low, high = (grid(table, name, languages) for name in ("ap", *BOUNDS))
    uncertain = {}
    for row, language in enumerate(languages):
        chosen = np.zeros(values[row].shape, bool)
        for layer, index in neurons[language].items():
            chosen[layer, index] = True
        side = settings["side"]
        on_top = chosen & (values[row] >= np.median(values[row]) if side == "both" else side == "top")
        below = chosen & ~on_top
        last, first = values[row][on_top].min(initial=np.inf), values[row][below].max(initial=-np.inf)
        uncertain[language] = int((low[row][on_top] < last).sum() + (high[row][below] > first).sum())
    return {"uncertain": uncertain}
