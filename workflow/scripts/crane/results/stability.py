"""Stability and overlap of the masks in the study's order, for tables and figures."""

import numpy as np
import pandas as pd

from crane.results.labels import Labels, ResultsError


def stability_rows(stability: pd.DataFrame, labels: Labels) -> pd.DataFrame:
    """Return one row per mask set and language in the study's order, seeds averaged; adds `seeds`.

    Raises:
        ResultsError: a mask set of the study is missing.
    """
    if lacking := [label for label in labels.mask_sets if label not in set(stability["label"])]:
        raise ResultsError(
            f"stability: no row for mask set {lacking[0]!r}; measured: {', '.join(stability['label'].unique())}"
        )
    groups = stability.groupby(["label", "mask_language"], sort=False)
    rows = groups.mean(numeric_only=True)
    for column in ("split_half", "by_chance", "neurons_even", "neurons_odd"):
        rows[column] = rows.get(column, np.nan)
    rows["reason"] = groups["reason"].first() if "reason" in stability else None
    rows["seeds"] = groups.size()
    grid = pd.MultiIndex.from_product([labels.mask_sets, labels.languages], names=rows.index.names)
    return rows.reindex(grid).reset_index()


def overlap_rows(overlap: pd.DataFrame, labels: Labels) -> pd.DataFrame:
    """Return all pairs of masks in the study's order.

    Raises:
        ResultsError: a mask set of the study is missing.
    """
    keys = ["label", "mask_language", "other_label", "other_language"]
    if lacking := [label for label in labels.mask_sets if label not in set(overlap["label"])]:
        raise ResultsError(f"overlap: no row for mask set {lacking[0]!r}")
    masks = [(label, code) for label in labels.mask_sets for code in labels.languages]
    grid = pd.MultiIndex.from_tuples([(*one, *other) for one in masks for other in masks], names=keys)
    return overlap.set_index(keys).reindex(grid).reset_index()
