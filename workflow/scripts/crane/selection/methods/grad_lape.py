"""LAPE's entropy over mean |relevance| per token in place of the activation probability.

The method `grad_act` of kinit-sk/language-neuron-detection (commit e6cc461), which takes the products of activation and
the loss's gradient. The mean is no probability, but LAPE's quantiles and entropy need none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from crane.models.architectures import Site
from crane.neurons.neuron_set import NeuronSet
from crane.selection.columns import grid
from crane.selection.lape import EntropyRule, quantiles


def columns(settings: Mapping[str, Any]) -> list[str]:
    """Return the column of mean |relevance| over the tokens."""
    return ["mean_abs_token"]


def select(
    table: pd.DataFrame,
    languages: Sequence[str],
    settings: Mapping[str, Any],
    *,
    counts: Mapping[str, int] | None,
    may_be_empty: bool,
    site: Site,
) -> tuple[NeuronSet, dict[str, Any]]:
    """Select by LAPE's rule, or by its ranking so many as `counts` says."""
    measure = EntropyRule(grid(table, "mean_abs_token", languages), "grad_lape", site)
    rates = quantiles(settings)
    if counts is None:
        return measure.published(languages, may_be_empty=may_be_empty, **rates), {}
    del rates["top_rate"]
    neurons, beyond = measure.matched(languages, counts, **rates)
    return neurons, {"beyond_the_published_rule": beyond}
