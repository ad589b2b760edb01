"""Select neurons from a table of statistics by a mask set's settings; every job that selects uses this module.

A method's module (`crane.methods`) names the columns that it reads and scores all neurons. Settings with a `rule`
normalise the scores and compare the languages by it (`crane.selection.rules`); without a rule the scores compare
languages themselves, and above 0 is what is the language's. A module may have besides:

* `contrasted(settings)`: whether the scores compare languages themselves although there is a rule;
* `published(table, languages, settings)`: bool `[L, K, I]`, the neurons of a set without a budget;
* `facts(table, languages, settings)`: what to tell of the selection, by name and language;
* `facts_of_chosen(table, languages, settings, neurons)`: the same, of the neurons that were chosen;
* `select(...)`: the whole selection, for rules that are no cut of one order (LAPE, ternary).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crane.methods import scoring
from crane.models.architectures import Site
from crane.neurons.neuron_set import NeuronSet
from crane.neurons.normalisation import normalise
from crane.selection.columns import grid
from crane.selection.ranking import SelectionError
from crane.selection.rules import by_rule, log_ratio

SCALE_AWARE = ("std", "mean_abs", "fourth_root", "energy")
"""Statistics that are not negative and grow with the scale of what is measured."""


def columns(settings: Mapping[str, Any]) -> list[str]:
    """Return the columns of the layers' tables that a selection reads."""
    every = ["language", "layer", "neuron"]
    return every if settings["method"] == "all" else every + scoring(settings["method"]).columns(settings)


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
    if settings["method"] == "all":
        flags = np.ones_like(grid(table, "neuron", languages), dtype=bool)
        return NeuronSet.from_flags(flags, languages, site), {}
    method, budget = scoring(settings["method"]), settings.get("budget", {})
    size = table["layer"].nunique() * table["neuron"].nunique()
    matched = settings["method"] == "lape_matched"  # without a budget, others leave the counts alone
    asked = counts if matched else _asked(budget, size, languages, counts)
    if hasattr(method, "select"):
        return method.select(table, languages, settings, counts=asked, may_be_empty=may_be_empty, site=site)
    scores = _scores(method.scores(table, languages, settings), settings)
    facts = method.facts(table, languages, settings) if hasattr(method, "facts") else {}
    undefined = int((~np.isfinite(scores)).any(0).sum())
    facts |= {"undefined": dict.fromkeys(languages, undefined)}
    if "rule" not in settings and asked is None:
        flags = method.published(table, languages, settings)
        neurons = NeuronSet.from_flags(flags, languages, site, scores=scores)
        if not may_be_empty:
            _refuse_empty(neurons, settings)
        return neurons, facts | _of_chosen(method, table, languages, settings, neurons)
    contrasts = "rule" not in settings or (hasattr(method, "contrasted") and method.contrasted(settings))
    neurons = by_rule(
        scores,
        languages,
        rule=settings.get("rule", "margin"),
        threshold=settings.get("threshold"),
        top=asked,
        fill=budget.get("fill", False),
        may_be_empty=may_be_empty,
        contrasted=contrasts,
        site=site,
    )
    if asked is not None:
        facts["asked"] = asked
    return neurons, facts | _of_chosen(method, table, languages, settings, neurons)


def _of_chosen(
    method: Any,
    table: pd.DataFrame,
    languages: Sequence[str],
    settings: Mapping[str, Any],
    neurons: NeuronSet,
) -> dict[str, dict[str, Any]]:
    told = getattr(method, "facts_of_chosen", None)
    return told(table, languages, settings, neurons) if told else {}


def _scores(scores: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
    """Return a method's scores, normalised if there is a rule for that."""
    if "rule" not in settings:
        return scores
    if contrast(settings) == "log_ratio":
        return log_ratio(scores)
    return normalise(scores, settings["normalise"])


def _refuse_empty(neurons: NeuronSet, settings: Mapping[str, Any]) -> None:
    for language in neurons:
        if not neurons.total(language):
            given = {key: value for key, value in settings.items() if key not in ("label", "method", "group")}
            raise SelectionError(
                f"language {language!r}: {settings['method']} selects no neuron "
                f"({', '.join(f'{key} {value}' for key, value in sorted(given.items()))}). Loosen its settings, or "
                "give a budget."
            )


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
