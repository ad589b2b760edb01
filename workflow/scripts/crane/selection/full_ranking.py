"""The rank of every neuron under a method, also of those that it does not select."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crane.methods import every
from crane.models.architectures import Site
from crane.selection.choose import choose
from crane.selection.criteria import order_settings


def full_ranks(
    table: pd.DataFrame, settings: Mapping[str, Any], languages: Sequence[str], site: Site
) -> np.ndarray | None:
    """Return int64 `[L, K, I]`: 1 for the neuron that a method would choose first for a language.

    The method's own selection runs with a budget of all neurons, so ties are broken as it breaks them. 0: the neuron's
    score is undefined. None: the method chooses by no statistic (random neurons, imported ones).

    Args:
        table: the concatenated tables of all layers, with `crane.selection.choose.columns(settings)`.
        settings: the mask set's, as in the configuration.
        languages: names of the L languages.
        site: where the neurons are.
    """
    layers, width = table["layer"].nunique(), table["neuron"].nunique()
    if settings["method"] not in every():
        return None
    whole = order_settings(settings, layers * width)
    counts = dict.fromkeys(languages, layers * width)
    chosen, _ = choose(table, whole, languages, site=site, counts=counts, may_be_empty=True)
    frame, ranks = chosen.to_frame(), np.zeros((len(languages), layers, width), np.int64)
    for row, language in enumerate(languages):
        own = frame[frame["language"] == language].sort_values(["layer", "neuron"])
        order = own.sort_values("score", ascending=False, kind="stable")
        ranks[row, order["layer"], order["neuron"]] = np.arange(1, len(order) + 1)
    return ranks
