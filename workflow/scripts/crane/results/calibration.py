"""The calibration in the study's order, for its table and its figure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from crane.results.labels import Labels, ResultsError

STATISTICS = {
    "z": "Kurtosis (z per layer)",
    "std": "Standard deviation",
    "mean": "Mean relevance",
    "abs_mean": "|Mean relevance|",
    "mean_abs": "Mean |relevance|",
    "activation_probability": "Activation probability",
}
"""Statistics of single languages, from the tables of statistics -> what they are called."""
KINDS = {"neuron": "Neurons", "group": "Groups"}
SHOWN = {"change": "Own loss", "specific": "Own minus largest other"}
"""Measures that are shown -> what they are called; the others are in the CSV."""


def calibration_rows(calibration: pd.DataFrame, labels: Labels) -> pd.DataFrame:
    """Return the rows in order, with `name`: a statistic's, or the labels of the mask sets that have this order.

    Raises:
        ResultsError: no results, or of a mask set or language that the study does not have.
    """
    if calibration.empty:
        raise ResultsError("calibration: no results")
    if unknown := set(calibration["language"]) - set(labels.languages):
        raise ResultsError(
            f"calibration: results of language {min(unknown)!r}, which the study does not have"
        )
    named = {
        (criterion, mask_sets): _name(criterion, mask_sets, labels)
        for criterion, mask_sets in zip(calibration["criterion"], calibration["mask_sets"], strict=True)
    }
    rows = calibration.assign(
        name=[named[pair] for pair in zip(calibration["criterion"], calibration["mask_sets"], strict=True)]
    )
    for column, order in (("language", labels.languages), ("kind", KINDS), ("name", named.values())):
        rows[column] = pd.Categorical(rows[column], list(dict.fromkeys(order)), ordered=True)
    rows = rows.sort_values(["kind", "measure", "name", "language"], kind="stable")
    return rows.astype({"language": str, "kind": str, "name": str}).reset_index(drop=True)


def _name(criterion: str, mask_sets: str, labels: Labels) -> str:
    if not mask_sets:
        return STATISTICS[criterion]
    groups = mask_sets.split(",")
    if unknown := [group for group in groups if group not in labels.mask_sets]:
        raise ResultsError(f"calibration: results of mask set {unknown[0]!r}, which the study does not have")
    return _joined(list(map(labels.name, groups)))


def _joined(names: Sequence[str]) -> str:
    """Return names as one; if all differ in the end of their brackets alone, as `CRANE (1%, 3%)`."""
    parts = [re.fullmatch(r"(.*(?:\(|; ))([^;()]*)\)", name) for name in names]
    ends = [part[2] for part in parts if part and parts[0] and part[1] == parts[0][1]]
    if parts[0] is None or len(ends) < len(names):
        return "; ".join(names)
    return f"{parts[0][1]}{', '.join(ends)})"


def kind_name(kind: str, measured: Mapping[str, Any]) -> str:
    """Return what was zeroed, with its number; `measured` is the section `calibration` of the configuration."""
    if kind == "neuron":
        return f"{measured['neurons']:,} neurons"
    return f"{measured['groups']:,} groups of {measured['group_size']}"


def names_of(rows: pd.DataFrame) -> list[str]:
    """Return the criteria in order."""
    return list(dict.fromkeys(rows["name"]))


def kinds_of(rows: pd.DataFrame) -> Sequence[str]:
    """Return the kinds of ablations in order."""
    return [kind for kind in KINDS if kind in set(rows["kind"])]
