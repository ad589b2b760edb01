"""Facts about mask sets joined to the results: method, group, number of neurons, and the null distribution."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from crane.scores.null_distribution import COLUMNS, against_random
from crane.scores.significance import over_masks

Groups = Mapping[str, Mapping[str, Any]]
"""Mask set (one per seed) -> group (the set without its seed), method and intervention."""
Summaries = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Mask set -> language -> total and layers (neurons per layer)."""


def with_groups(frame: pd.DataFrame, groups: Groups, *, place: int | None = None) -> pd.DataFrame:
    """Return results with the columns `method` and `label` (the mask set without its seed) of their mask set.

    They are the last columns, or `label` and `method` are inserted at `place`.
    """
    label = frame["mask_set"].map(lambda name: groups[name]["group"])
    method = frame["mask_set"].map(lambda name: groups[name]["method"])
    joined = frame.copy()
    if place is None:
        return joined.assign(method=method, label=label)
    joined.insert(place, "label", label)
    joined.insert(place + 1, "method", method)
    return joined


def with_tests(scores: pd.DataFrame, groups: Groups) -> pd.DataFrame:
    """Return the scores with method, label and `p_holm`, McNemar's p adjusted over the masks."""
    scores = with_groups(scores, groups)
    return scores.assign(p_holm=over_masks(scores))


def with_null(langspec_f1: pd.DataFrame, groups: Groups, summaries: Summaries) -> pd.DataFrame:
    """Return LangSpec-F1 with what its masks are and how it stands among random ones.

    Adds method, label, `d_p_holm` (the p of D adjusted over the masks), the columns of the null distribution with
    `null_p_holm` (its p, likewise adjusted), the number of masked neurons (`neurons`) and the budget (`neurons_asked`).
    """
    effects = with_groups(langspec_f1, groups)
    effects["d_p_holm"] = over_masks(effects, "d_p", ["model", "suite"])
    effects["neurons"] = [
        summaries[mask_set][language]["total"]
        for mask_set, language in zip(effects["mask_set"], effects["mask_language"], strict=True)
    ]
    effects["neurons_asked"] = [
        summaries[mask_set][language].get("asked", summaries[mask_set][language]["total"])
        for mask_set, language in zip(effects["mask_set"], effects["mask_language"], strict=True)
    ]
    effects[COLUMNS] = against_random(effects, layers_of(summaries), interventions_of(groups))
    effects["null_p_holm"] = over_masks(effects, "null_p", ["model", "suite"])
    return effects


def layers_of(summaries: Summaries) -> dict[str, dict[str, list[int]]]:
    """Return mask set -> language -> neurons per layer."""
    return {
        name: {language: facts["layers"] for language, facts in summary.items()}
        for name, summary in summaries.items()
    }


def interventions_of(groups: Groups) -> dict[str, dict[str, Any]]:
    """Return mask set -> intervention."""
    return {name: settings["intervention"] for name, settings in groups.items()}
