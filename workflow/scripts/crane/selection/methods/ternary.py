"""The ternary rule from the counts of active tokens (`crane.selection.ternary`)."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from crane.models.architectures import Site
from crane.neurons.neuron_set import NeuronSet
from crane.selection.columns import activations
from crane.selection.ternary import ternary


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
    """Select by the published rule, or by its ranking so many as `counts` says."""
    known = ("top_rate", "activation_bar_ratio", "kind", "weight")
    rule = {key: settings[key] for key in known if key in settings}
    active, tokens = activations(table, languages)
    return ternary(active, tokens, languages, counts=counts, may_be_empty=may_be_empty, **rule)
