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
from crane.selection.ternary import ternary

COLUMNS = {"probability": "activation_probability"}
"""Columns of the statistics that are called otherwise."""
SCALE_AWARE = ("std", "mean_abs", "fourth_root")
"""Statistics that are not negative and grow with the scale of the relevances."""


def columns(settings: Mapping[str, Any]) -> list[str]:
    """Return the columns of the layers' tables that a selection reads."""
    if settings["method"] == "all":
        return ["language", "layer", "neuron"]
    if settings["method"] in ("lape", "lape_matched", "ternary"):
        return ["language", "layer", "neuron", "active", "tokens"]
    return ["language", "layer", "neuron", _column(settings)]


def _column(settings: Mapping[str, Any]) -> str:
    """Return the column of the statistic by which neurons are ranked."""
    statistic = settings.get("statistic", "kurtosis")
    return COLUMNS.get(statistic, statistic)


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
    if method == "all":
        flags = np.ones_like(grid(table, "neuron", languages), dtype=bool)
        return NeuronSet.from_flags(flags, languages, site), {}
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
    budget = settings.get("budget", {})
    if method == "ternary":
        known = ("top_rate", "activation_bar_ratio", "kind", "weight")
        rule = {key: settings[key] for key in known if key in settings}
        size = table["layer"].nunique() * table["neuron"].nunique()
        asked = _asked(budget, size, languages, counts)
        return ternary(
            *activations(table, languages), languages, counts=asked, may_be_empty=may_be_empty, **rule
        )
    values = grid(table, _column(settings), languages)
    top = _asked(budget, values[0].size, languages, counts)
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
        facts["asked"] = top
    return neurons, facts


def _asked(
    budget: Mapping[str, Any], neurons: int, languages: Sequence[str], counts: Mapping[str, int] | None
) -> dict[str, int] | None:
    """Return the budget as neurons per language, of so many in the model; None without a budget."""
    if "match" in budget:
        if counts is None:
            raise ValueError("budget.match needs the counts of the set that it matches")
        return dict(counts)
    if not {"fraction", "count"} & set(budget):
        return None
    count = round(budget["fraction"] * neurons) if "fraction" in budget else budget["count"]
    return dict.fromkeys(languages, int(count))


def contrast(settings: Mapping[str, Any]) -> str:
    """Return how the languages' scores are compared: as `log_ratio` or as plain `difference`.

    The log ratio is the default of scale-aware statistics that are not normalised otherwise.
    """
    scale_aware = settings.get("statistic") in SCALE_AWARE and settings["normalise"] == "none"
    return settings.get("contrast", "log_ratio" if scale_aware else "difference")
