"""The rank of every neuron under a method, also of those that it does not select."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crane.models.architectures import Site
from crane.selection.choose import choose

_BY_SCORE = ("crane", "dispersion", "activation")
_BY_ENTROPY = ("lape", "lape_matched")


def full_ranks(
    table: pd.DataFrame, settings: Mapping[str, Any], languages: Sequence[str], site: Site
) -> np.ndarray | None:
    """Return int64 `[L, K, I]`: 1 for the neuron that a method would choose first for a language.

    The method's own selection runs with a budget of all neurons, so ties are broken as it breaks them. 0: the neuron's
    score is undefined. None: the method ranks only what it selects.

    Args:
        table: the concatenated tables of all layers, with `crane.selection.choose.columns(settings)`.
        settings: the mask set's, as in the configuration.
        languages: names of the L languages.
        site: where the neurons are.
    """
    layers, width = table["layer"].nunique(), table["neuron"].nunique()
    whole = _with_all(settings, layers * width)
    if whole is None:
        return None
    counts = dict.fromkeys(languages, layers * width)
    chosen, _ = choose(table, whole, languages, site=site, counts=counts, may_be_empty=True)
    frame, ranks = chosen.to_frame(), np.zeros((len(languages), layers, width), np.int64)
    for row, language in enumerate(languages):
        own = frame[frame["language"] == language].sort_values(["layer", "neuron"])
        order = own.sort_values("score", ascending=False, kind="stable")
        ranks[row, order["layer"], order["neuron"]] = np.arange(1, len(order) + 1)
    return ranks


def _with_all(settings: Mapping[str, Any], neurons: int) -> dict[str, Any] | None:
    """Return the settings of a selection that selects every neuron in the same order, or None."""
    method = settings["method"]
    if method in _BY_ENTROPY:
        kept = {key: settings[key] for key in ("filter_rate", "activation_bar_ratio") if key in settings}
        return {**kept, "method": "lape_matched"}
    if method not in _BY_SCORE:
        return None
    whole = {key: value for key, value in settings.items() if key not in ("budget", "threshold", "rule")}
    # With a threshold, every rule ranks by the margin.
    by_own_score = settings["rule"] == "target_only" and settings.get("threshold") is None
    rule = "target_only" if by_own_score else "margin"
    return {**whole, "rule": rule, "budget": {"count": neurons, "fill": rule == "margin"}}
