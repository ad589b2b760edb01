"""What the study knows of every neuron before masking it: statistics of its relevance, and the orders of its mask sets.

A mask set orders all neurons, from those that it selects first to those that it would select last. Sets that differ in
their number of neurons alone have one order, and stand together.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from crane.methods import scoring
from crane.models.architectures import Site
from crane.neurons.neuron_set import NeuronSet
from crane.selection.choose import choose, columns
from crane.selection.columns import grid

STATISTICS = {
    "z": "z",
    "std": "std",
    "mean": "mean",
    "abs_mean": "mean",
    "mean_abs": "mean_abs",
    "activation_probability": "activation_probability",
}
"""Statistic -> column of the tables of statistics; `abs_mean` is the absolute value of the mean."""


class Criterion(NamedTuple):
    """One score of all neurons."""

    name: str
    """A key of `STATISTICS`, or `order_` and the first of the mask sets."""
    mask_sets: tuple[str, ...]
    """The mask sets of this order; empty for a statistic."""
    scores: np.ndarray
    """float64 `[L, K, I]`, higher is selected first; NaN where undefined."""


def statistics(table: pd.DataFrame, languages: Sequence[str]) -> Iterator[Criterion]:
    """Yield the statistics of the layers' tables; those that the site does not have are left out."""
    for name, column in STATISTICS.items():
        if column in table:
            values = grid(table, column, languages).astype(np.float64)
            yield Criterion(name, (), np.abs(values) if name == "abs_mean" else values)


def order_settings(settings: Mapping[str, Any], neurons: int) -> dict[str, Any]:
    """Return the settings of a selection of all neurons in a mask set's order.

    Rules of relevance and activation order by margin, also those with a threshold, except `target_only` without one;
    LAPE as its ranking for matched counts does, other methods as their ranking for a budget.

    Args:
        settings: the mask set's, without its label.
        neurons: of the model.
    """
    kept = {key: value for key, value in settings.items() if key not in ("budget", "match", "threshold")}
    if settings["method"] in ("lape", "lape_matched"):
        return {
            key: value for key, value in kept.items() if key not in ("method", "top_rate")
        } | {"method": "lape_matched"}  # fmt: skip
    if hasattr(scoring(settings["method"]), "select"):
        return kept | {"budget": {"count": neurons}}
    if "rule" not in settings:
        return kept | {"budget": {"count": neurons, "fill": True}}
    if settings["rule"] == "target_only" and "threshold" not in settings:
        return kept | {"budget": {"count": neurons}}
    return kept | {"rule": "margin", "budget": {"count": neurons, "fill": True}}


def by_order(
    selections: Mapping[str, Mapping[str, Any]], neurons: int
) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return the mask sets of each order -> the settings of `order_settings`, which they share."""
    alike: dict[str, list[str]] = {}
    for name, settings in selections.items():
        alike.setdefault(json.dumps(order_settings(settings, neurons), sort_keys=True), []).append(name)
    return {tuple(names): json.loads(text) for text, names in alike.items()}


def order_columns(selections: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the columns of the layers' tables that the orders of some mask sets read."""
    read = {column for settings in selections.values() for column in columns(settings)}
    return sorted(read | {"language", "layer", "neuron"})


def orders(
    tables: Mapping[str, pd.DataFrame],
    selections: Mapping[str, Mapping[str, Any]],
    languages: Sequence[str],
    site: Site,
) -> Iterator[Criterion]:
    """Yield the orders of mask sets, each once.

    Args:
        tables: relevance variant ("" for the study's own) -> the concatenated tables of all layers.
        selections: mask set -> its settings.
        languages: names of the L languages.
        site: where the neurons are.
    """
    shape = grid(tables[""], "neuron", languages).shape
    neurons = shape[1] * shape[2]
    counts = dict.fromkeys(languages, neurons)
    for names, settings in by_order(selections, neurons).items():
        table = tables[settings.get("relevance", "")]
        ranked, _ = choose(table, settings, languages, site=site, counts=counts, may_be_empty=True)
        yield Criterion(f"order_{names[0]}", names, _scores(ranked, shape))


def _scores(neurons: NeuronSet, shape: tuple[int, ...]) -> np.ndarray:
    """Return the scores of a set as `[L, K, I]`, NaN outside of it."""
    scores = np.full(shape, np.nan)
    for row, (language, by_layer) in enumerate(neurons.items()):
        for layer, index in by_layer.items():
            scores[row, layer, index] = neurons.scores[language][layer]
    return scores
