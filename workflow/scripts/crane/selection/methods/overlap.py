"""Neurons whose activated gate is distributed otherwise in a language than in all others.

The rule of mjkmain/Distribution-aware-language-neurons (commit ecbb926): histograms of the tokens' activations in every
language, their overlaps in pairs, and the split of the languages into two sides across which the largest overlap is
smallest. If that is among the lowest of all pairs, a language that is alone on its side has the neuron. The rule does
not ask for a direction: a neuron that is silent in one language counts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crane.selection.columns import grid
from crane.selection.ranking import kth_smallest


def columns(settings: Mapping[str, Any]) -> list[str]:
    """Return the overlaps, and what lies beyond the histograms' edges."""
    return ["overlap_with", "token_overflow"]


def pair_overlaps(table: pd.DataFrame, languages: Sequence[str]) -> np.ndarray:
    """Return the overlaps of every two languages, float32 `[L, L, K, I]`."""
    lists = grid(table, "overlap_with", languages)
    found = np.stack([*lists.ravel()]).reshape(*lists.shape, -1)
    places = {code: place for place, code in enumerate(table["language"].unique())}
    return np.moveaxis(found[..., [places[code] for code in languages]], -1, 1)


def largest_with_others(overlaps: np.ndarray) -> np.ndarray:
    """Return each language's largest overlap with another one, `[L, ...]`, of `[L, L, ...]`."""
    return np.stack([np.delete(own, row, axis=0).max(0) for row, own in enumerate(overlaps)])


def weakest_link(overlaps: np.ndarray) -> np.ndarray:
    """Return the largest overlap across the split of the languages in two for which that is smallest, `[...]`.

    It is the smallest edge of the maximum spanning tree, which grows here by Prim's algorithm, of all neurons together.

    Args:
        overlaps: `[L, L, ...]`, symmetric.
    """
    inside = np.zeros(overlaps.shape[1:], bool)
    inside[0] = True
    reached = overlaps[0].copy()  # the largest overlap of each language with one inside
    weakest = np.full(overlaps.shape[2:], np.inf)
    for _ in range(len(overlaps) - 1):
        outside = np.where(inside, -np.inf, reached)
        joins = outside.argmax(0)[None]
        weakest = np.minimum(weakest, outside.max(0))
        np.put_along_axis(inside, joins, True, 0)
        reached = np.maximum(reached, np.take_along_axis(overlaps, joins[None], 0)[0])
    return weakest


def published(table: pd.DataFrame, languages: Sequence[str], settings: Mapping[str, Any]) -> np.ndarray:
    """Return bool `[L, K, I]`: neurons of which a language is alone on its side of a low enough link.

    A language is alone on one side of the best split exactly if its largest overlap is the one across the split; if
    splits are equally good, that of every single language counts, whatever their order.
    """
    overlaps = pair_overlaps(table, languages)
    pairs = overlaps[np.triu_indices(len(languages), 1)]
    link = weakest_link(overlaps)
    low = link <= kth_smallest(pairs, settings["pair_rate"])
    return low & (largest_with_others(overlaps) == link)


def scores(table: pd.DataFrame, languages: Sequence[str], settings: Mapping[str, Any]) -> np.ndarray:
    """Return 1 less the largest overlap with another language, `[L, K, I]`: 0 if one is distributed in the same way."""
    return 1 - largest_with_others(pair_overlaps(table, languages)).astype(np.float64)


def facts(
    table: pd.DataFrame, languages: Sequence[str], settings: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return, by language, the share of tokens beyond the edges of the histograms, over all neurons."""
    beyond = grid(table, "token_overflow", languages).mean((1, 2))
    return {"overflow": dict(zip(languages, beyond.tolist(), strict=True))}
