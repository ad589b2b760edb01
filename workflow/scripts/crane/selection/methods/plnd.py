"""Parallel language-specific neuron detection (PLND; Zhao et al. 2024, arXiv 2402.18815), by its closed form.

A neuron is a language's if it is among the most important of its layer in (nearly) every document of the language.
Importance is what the MLP's output loses without the neuron (`crane.relevance.accumulators`), or, as in the authors'
released code (DAMO-NLP-SG/multilingual_analysis, commit be2b161), sum_t |u| with the up projection's output u. Their
code also ranks attention's neurons; here the MLP's alone count. What is masked, the neuron's value, is what they
deactivate.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crane.relevance.accumulated_columns import TOPS, top_column
from crane.selection.columns import grid

ACCUMULATOR = {"output": "energy", "up_abs": "up"}
"""Importance -> the accumulator that ranks by it."""
IMPORTANCE = {"output": "energy", "up_abs": "up_abs"}
"""Importance -> the column of its mean over the samples."""


def _counted(settings: Mapping[str, Any]) -> bool:
    """Return whether it is counted in how many samples a neuron is within the share `top` of its layer."""
    return settings["top"] in TOPS


def columns(settings: Mapping[str, Any]) -> list[str]:
    """Return the samples, the mean importance, and what tells in how many samples a neuron is important."""
    ranks = ACCUMULATOR[settings["importance"]]
    within = top_column(ranks, settings["top"]) if _counted(settings) else f"{ranks}_worst_rank"
    return ["count", IMPORTANCE[settings["importance"]], within]


def frequency(table: pd.DataFrame, languages: Sequence[str], settings: Mapping[str, Any]) -> np.ndarray:
    """Return the share of samples in which each neuron is important, `[L, K, I]`.

    For a share `top` that is not counted, 1 where it is important in every sample and 0 elsewhere.
    """
    samples, _, within = (grid(table, column, languages) for column in columns(settings))
    if _counted(settings):
        return within / samples
    return (within < max(1, round(settings["top"] * within.shape[2]))).astype(np.float64)


def published(table: pd.DataFrame, languages: Sequence[str], settings: Mapping[str, Any]) -> np.ndarray:
    """Return bool `[L, K, I]`: neurons important in the share `consistency` of a language's samples, without others'.

    `remove: all` takes away the neurons of all languages, as the released code does; `any` those of any other language,
    so that each is left to one language alone.
    """
    found = frequency(table, languages, settings) >= settings["consistency"]
    owners = found.sum(0)
    return found & (owners < len(languages) if settings["remove"] == "all" else owners == 1)


def scores(table: pd.DataFrame, languages: Sequence[str], settings: Mapping[str, Any]) -> np.ndarray:
    """Return an order of all neurons, `[L, K, I]`: the published ones first.

    Within and behind them by the share of samples, less the highest share of another language; between equal ones by
    the mean importance, less the highest of another language. Above 0 are the published ones and those important more
    often than in any other language.
    """
    # Equal differences of shares are equal numbers only when rounded; the smallest others are 1 / n^2 apart.
    share = np.round(_margin(frequency(table, languages, settings)), 12)
    importance = _margin(grid(table, IMPORTANCE[settings["importance"]], languages))
    steps = np.diff(np.unique(share))
    place = importance.ravel().argsort(kind="stable").argsort(kind="stable").reshape(share.shape)
    # Less than half of the smallest step, and never upward, or a tie would pass for a higher share.
    behind = (1 - (place + 1) / share.size) * (steps.min() / 2 if len(steps) else 0.5)
    return share - behind + 2 * published(table, languages, settings)


def facts(
    table: pd.DataFrame, languages: Sequence[str], settings: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return, by language, the number of samples: the more there are, the fewer neurons are important in all."""
    samples = grid(table, "count", languages)[:, 0, 0]
    return {"samples": dict(zip(languages, samples.tolist(), strict=True))}


def _margin(values: np.ndarray) -> np.ndarray:
    """Return `[L, K, I]`: values less the highest of another language."""
    return values - np.stack([np.delete(values, row, axis=0).max(0) for row in range(len(values))])
