"""The rank of a mask set's LangSpec-F1 among random mask sets: percentile and p-value."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from crane.names import REFERENCES
from crane.scores.randomisation import EQUAL

LIKENESS = ("other intervention", "other size", "same size", "same layers")
"""How similar a random set is to a mask: a different intervention; a different number of neurons, the same number, the
same number in each layer."""
COLUMNS = ["null", "null_likeness", "null_seeds", "null_mean", "null_percentile", "null_p"]


def against_random(
    langspec_f1: pd.DataFrame,
    layers: Mapping[str, Mapping[str, Sequence[int]]],
    interventions: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    statistic: str = "f1",
) -> pd.DataFrame:
    """Return the null columns of every row of `langspec_f1`, by its index; undefined for `REFERENCES`.

    Within model, suite and mask language, a mask is compared with the seeds of the random set most similar to it
    (`LIKENESS`), the first one in the study's order if several are. `null` is that set; `null_percentile` is the
    percentage of its seeds with a lower F1, ties counting half; `null_p` is (1 + seeds with an F1 at least as high) /
    (1 + seeds) (Davison & Hinkley 1997, section 4.2), never below 1 / (1 + seeds).

    Args:
        langspec_f1: model, suite, mask_set, mask_language, method, label and f1.
        layers: mask set -> language -> neurons per layer.
        interventions: mask set -> intervention, for sets whose neurons are not masked.
        statistic: the column to compare in place of f1; high values are those of a mask with an effect.
    """
    random = langspec_f1[langspec_f1["method"] == "random"]
    groups = {label: list(rows["mask_set"].unique()) for label, rows in random.groupby("label", sort=False)}
    seeds = dict(list(random.groupby(["label", "model", "suite", "mask_language"])[statistic]))
    nulls: list[tuple[Any, ...]] = []
    for row in langspec_f1.to_dict("records"):
        if row["method"] in REFERENCES or not groups or pd.isna(row[statistic]):
            nulls.append((None, None, np.nan, np.nan, np.nan, np.nan))
            continue
        language = row["mask_language"]
        null, likeness = most_similar(
            row["mask_set"],
            language,
            {label: names[0] for label, names in groups.items()},
            layers,
            interventions,
        )
        draws = seeds[null, row["model"], row["suite"], language].dropna().to_numpy()
        equal = (np.abs(draws - row[statistic]) <= EQUAL).sum()
        lower = (draws < row[statistic] - EQUAL).sum()
        percentile = 100 * (lower + equal / 2) / len(draws)
        p = as_high(len(draws) - lower, len(draws))
        nulls.append((null, likeness, len(draws), draws.mean(), percentile, p))
    return pd.DataFrame(nulls, index=langspec_f1.index, columns=COLUMNS)


def as_high(reaching: int, seeds: int) -> float:
    """Return p of a value that `reaching` of `seeds` random sets reach (Davison & Hinkley 1997, section 4.2)."""
    return (1 + reaching) / (1 + seeds)


def most_similar(
    mask_set: str,
    language: str,
    random: Mapping[str, str],
    layers: Mapping[str, Mapping[str, Sequence[int]]],
    interventions: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> tuple[str, str]:
    """Return the random set that is most similar to a mask, the first one if several are, and its `LIKENESS`.

    Args:
        mask_set: the mask.
        language: whose neurons are masked.
        random: label of a random set -> one of its seeds; at least one.
        layers: mask set -> language -> neurons per layer.
        interventions: mask set -> intervention, for sets whose neurons are not masked.
    """
    like = {
        label: _likeness(layers[mask_set][language], layers[seed][language])
        if interventions.get(mask_set, {}) == interventions.get(seed, {})
        else 0
        for label, seed in random.items()
    }
    null = max(like, key=lambda label: like[label])
    return null, LIKENESS[like[null]]


def _likeness(one: Sequence[int], other: Sequence[int]) -> int:
    if list(one) == list(other):
        return 3
    return 2 if sum(one) == sum(other) else 1
