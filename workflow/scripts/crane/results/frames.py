"""Result frames as tables and figures need them: checked, in the study's order, seeds averaged.

Rows come in the order of `Labels`; a mask set that `Labels` does not name is left out, one that it names and the
results lack is an error. Both frames of the scores stage have the columns `suite` and `kind`, and `label`: the
mask set without its seed.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from crane.names import NO_MASK, ORIGINAL
from crane.results.labels import Labels, ResultsError

KEYS = [
    "model", "label", "method", "mask_language", "benchmark", "language", "suite", "kind", "first", "second",
]  # fmt: skip
"""What tells rows apart but for the seed; `first` and `second` are a pair of languages."""


INTERVALS = {
    "score": ("low", "high"),
    "drop": ("drop_low", "drop_high"),
    "f1": ("low", "high"),
    "d": ("d_low", "d_high"),
    "target_drop": ("target_drop_low", "target_drop_high"),
    "other_drop": ("other_drop_low", "other_drop_high"),
    "difference": ("difference_low", "difference_high"),
    "perplexity": ("low", "high"),
    "log_ratio": ("ratio_low", "ratio_high"),
}
"""Measured value -> its bounds; a frame has one at most of those whose bounds are `low` and `high`."""


def seed_means(frame: pd.DataFrame) -> pd.DataFrame:
    """Average the seeds of a mask set into one row, numbers by their mean.

    Rows of several seeds get the smallest and the largest seed as bounds of `INTERVALS` (`interval` says `seeds`), the
    others keep theirs (`bootstrap`). Adds `seeds` (count), `interval` and `<value>_sd` (between seeds, n - 1; undefined
    for one).
    """
    groups = frame.groupby([key for key in KEYS if key in frame], sort=False)
    numbers = frame.select_dtypes(["number", "bool"]).columns
    means = groups[list(numbers)].mean()
    means["seeds"] = groups.size()
    several = means["seeds"] > 1
    for value, (low, high) in INTERVALS.items():
        if {value, low, high} <= set(numbers):
            means[f"{value}_sd"] = groups[value].std()
            means[low] = means[low].mask(several, groups[value].min())
            means[high] = means[high].mask(several, groups[value].max())
    means["interval"] = np.where(several, "seeds", "bootstrap")
    return means.reset_index()


def score_rows(scores: pd.DataFrame, labels: Labels, models: Sequence[str], suite: str) -> pd.DataFrame:
    """Return one row per model, mask (the unmasked model first) and benchmark of a suite, seeds averaged.

    Raises:
        ResultsError: a model, mask set, mask language or benchmark of the study is missing in `scores`.
    """
    benchmarks = labels.benchmarks_of(suite)
    rows = seed_means(scores[scores["suite"] == suite])
    grid = [
        (model, *mask, benchmark) for model, mask, benchmark in product(models, masks_of(labels), benchmarks)
    ]
    return _in_order(rows, ["model", "label", "mask_language", "benchmark"], grid, "scores")


def f1_rows(langspec_f1: pd.DataFrame, labels: Labels, models: Sequence[str], suite: str) -> pd.DataFrame:
    """Return one row per model and mask with its LangSpec-F1, seeds averaged.

    `distinguishable` becomes a share of seeds; undefined where the intervals are.

    Raises:
        ResultsError: a model, mask set or mask language of the study is missing in `langspec_f1`.
    """
    rows = seed_means(langspec_f1[langspec_f1["suite"] == suite])
    grid = [(model, *mask) for model, mask in product(models, masks_of(labels)[1:])]
    return _in_order(rows, ["model", "label", "mask_language"], grid, "LangSpec-F1")


def asked_questions(rows: pd.DataFrame, labels: Labels) -> str:
    """Return how many questions of every benchmark the rows rest on, and how many were left out as too long."""
    sizes = rows.drop_duplicates("benchmark").to_dict("records")
    return ", ".join(f"{labels.benchmarks[row['benchmark']]['label']} {_counted(row, 'n')}" for row in sizes)


def questions_by_language(rows: pd.DataFrame) -> str:
    """Return the same of the masked languages' benchmarks: once where all languages have as many."""
    sizes = {row["mask_language"]: _counted(row, "questions")
             for row in rows.drop_duplicates("mask_language").to_dict("records")}  # fmt: skip
    if len(set(sizes.values())) == 1:
        return f"{next(iter(sizes.values()))} per language"
    return ", ".join(f"{language} {size}" for language, size in sizes.items())


def _counted(row: Mapping[Any, Any], column: str) -> str:
    dropped = row.get("dropped", 0)
    left_out = f" ({dropped:,.0f} left out as longer than the model's context)" if dropped else ""
    return f"{row[column]:,.0f}{left_out}"


def masks_of(labels: Labels) -> list[tuple[str, str]]:
    """Return (mask set, mask language) of every row, the unmasked model first."""
    return [(ORIGINAL, NO_MASK), *product(labels.mask_sets, labels.languages)]


def _in_order(
    rows: pd.DataFrame, keys: list[str], grid: Sequence[tuple[str, ...]], what: str
) -> pd.DataFrame:
    indexed = rows.set_index(keys)
    present = set(indexed.index)
    missing = [entry for entry in grid if entry not in present]
    if missing:
        named = ", ".join(f"{key} {value!r}" for key, value in zip(keys, missing[0], strict=True))
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        labels_present = ", ".join(sorted(set(rows["label"]))) or "none"
        raise ResultsError(f"{what}: no row for {named}{more}; mask sets with results: {labels_present}")
    index = pd.MultiIndex.from_tuples(grid, names=keys)
    return indexed.reindex(index).reset_index()
