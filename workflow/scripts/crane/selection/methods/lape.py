"""LAPE from the counts of active tokens, as published or cut to another set's counts (`crane.selection.lape`)."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from crane.models.architectures import Site
from crane.neurons.neuron_set import NeuronSet
from crane.selection.columns import activations
from crane.selection.lape import lape, lape_matched, quantiles


def columns(settings: Mapping[str, Any]) -> list[str]:
    """Return the columns of the counts."""
    return ["active", "tokens"]


def select(
    table: pd.DataFrame,
    languages: Sequence[str],
    settings: Mapping[str, Any],
    *,
    counts: Mapping[str, int] | None,
    may_be_empty: bool,
    site: Site,
) -> tuple[NeuronSet, dict[str, Any]]:
    """Select by the published rule (`lape`), or by its ranking so many as `counts` says (`lape_matched`)."""
    active, tokens = activations(table, languages)
    if settings["method"] == "lape":
        return lape(active, tokens, languages, may_be_empty=may_be_empty, **quantiles(settings)), {}
    if counts is None:
        raise ValueError("lape_matched needs the counts of the set that it matches")
    neurons, beyond = lape_matched(active, tokens, languages, counts, **quantiles(settings))
    return neurons, {"beyond_the_published_rule": beyond}
