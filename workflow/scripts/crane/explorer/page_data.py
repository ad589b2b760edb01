"""All that the explorer page knows, put together as JSON values."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from crane.explorer.charts import SEVERAL, bin_width, charts
from crane.explorer.data import Chosen, choices, effects_of, members, plain, ranks, statistics_of
from crane.explorer.examples import example_data
from crane.explorer.shown import distinct, shown_neurons
from crane.models.architectures import Site


def page_data(
    about: Mapping[str, Any],
    languages: Mapping[str, str],
    sets: Sequence[Chosen],
    tables: Sequence[pd.DataFrame],
    *,
    halves: Mapping[str, pd.DataFrame],
    examples: pd.DataFrame,
    texts: pd.DataFrame,
    effects: pd.DataFrame | None,
    site: Site,
    most: int,
    tokens: int,
) -> dict[str, Any]:
    """Return the data of the page.

    Args:
        about: study and model, as they are called.
        languages: code -> name, in the study's order.
        sets: the mask sets of the page.
        tables: statistics of every layer.
        halves: half of the texts -> statistics of all layers; empty if there are none.
        examples, texts: of `crane.relevance.examples` and the tokens of the samples.
        effects: measured effects of single neurons, if there are any.
        site: where the neurons are.
        most: neurons of each mask set and language that are shown.
        tokens: of a sample that are shown.
    """
    layers, width = len(tables), int(tables[0]["neuron"].max()) + 1
    shown = shown_neurons({one.name: one.neurons for one in sets}, most)
    pairs = distinct(shown)
    numbers = {pair: number for number, pair in enumerate(pairs)}
    statistics = statistics_of(tables, pairs, list(languages))
    found, shown_texts = example_data(examples, texts, numbers, tokens)
    return {
        **about, "site": site, "layers": layers, "width": width, "bin": bin_width(width), "several": SEVERAL,
        "most": most, "languages": [{"code": code, "name": name} for code, name in languages.items()],
        "sets": [
            {"label": one.label, "method": one.settings["method"], "members": members(one.neurons, width)}
            for one in sets
        ],
        "neurons": {"layer": [k for k, _ in pairs], "number": [i for _, i in pairs]},
        "statistics": {
            code: {name: plain(values) for name, values in own.items()} for code, own in statistics.items()
        },
        "rows": choices(shown, sets, statistics, numbers, halves, site),
        "ranks": ranks(sets, tables, pairs, list(languages), site),
        "effects": effects_of(effects, numbers),
        "examples": found, "texts": shown_texts,
        "charts": charts(list(languages.values()), layers, width),
    }  # fmt: skip
