"""Select neurons from a table of statistics by a mask set's settings; every job that selects uses this module."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crane.models.architectures import Site
from crane.neurons.neuron_set import NeuronSet
from crane.neurons.normalisation import normalise
from crane.selection.columns import activations, grid
from crane.selection.lape import lape, lape_matched
from crane.selection.rules import by_rule, log_ratio

SCALE_AWARE = ("std", "mean_abs", "fourth_root")
"""Statistics that are not negative and grow with the scale of the relevances."""


def columns(settings: Mapping[str, Any]) -> list[str]:
    """Return the columns of the layers' tables that a selection reads."""
    if settings["method"] in ("lape", "lape_matched"):
        return ["language", "layer", "neuron", "active", "tokens"]
    return ["language", "layer", "neuron", settings.get("statistic", "kurtosis")]


def choose(
    table: pd.DataFrame,
    settings: Mapping[str, Any],
    languages: Sequence[str],
    *,
    site: Site = "intermediate",
    counts: Mapping[str, int] | None = None,
    may_be_empty: bool = False,
) -> tuple[NeuronSet, dict[str, Any]]:
    """Select the neurons of every language.

    Args:
        table: the concatenated tables of all layers, with `columns(settings)`.
        settings: the mask set's, as in the configuration.
        languages: names of the L languages.
        site: where the neurons are.
        counts: neurons per language of the matched set (`lape_matched`, `budget.match`).
        may_be_empty: a language may get no neuron, or fewer than a budget that is to be filled: for a null.

    Returns:
        The set, and facts for its summary, by language.

    Raises:
        SelectionError: a language gets no neuron, or fewer than a budget that is to be filled, unless `may_be_empty`.
    """
    method = settings["method"]
    if method in ("lape", "lape_matched"):
        quantiles = {
            key: settings[key]
            for key in ("top_rate", "filter_rate", "activation_bar_ratio")
            if key in settings
        }
        counters = activations(table, languages)
        if method == "lape":
            return lape(*counters, languages, may_be_empty=may_be_empty, **quantiles), {}
        if counts is None:
            raise ValueError("lape_matched needs the counts of the set that it matches")
        neurons, beyond = lape_matched(*counters, languages, counts, **quantiles)
        return neurons, {"beyond_the_published_rule": beyond}
    values = grid(table, settings.get("statistic", "kurtosis"), languages)
    budget = settings.get("budget", {})
    top: Any = budget.get("count")
    if "fraction" in budget:
        top = round(budget["fraction"] * values[0].size)
    elif "match" in budget:
        if counts is None:
            raise ValueError("budget.match needs the counts of the set that it matches")
        top = counts
    scores = (
        log_ratio(values) if contrast(settings) == "log_ratio" else normalise(values, settings["normalise"])
    )
    neurons = by_rule(
        scores,
        languages,
        rule=settings["rule"],
        threshold=settings.get("threshold"),
        top=top,
        fill=budget.get("fill", False),
        may_be_empty=may_be_empty,
        site=site,
    )
    undefined = int((~np.isfinite(scores)).any(0).sum())
    facts = {"undefined": dict.fromkeys(languages, undefined)}
    if top is not None:
        facts["asked"] = dict(top) if isinstance(top, Mapping) else dict.fromkeys(languages, int(top))
    return neurons, facts


def contrast(settings: Mapping[str, Any]) -> str:
    """Return how the languages' scores are compared: as `log_ratio` or as plain `difference`.

    The log ratio is the default of scale-aware statistics that are not normalised otherwise.
    """
    scale_aware = settings.get("statistic") in SCALE_AWARE and settings["normalise"] == "none"
    return settings.get("contrast", "log_ratio" if scale_aware else "difference")
