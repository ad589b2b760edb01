"""Table of the masked neurons per mask set, language and layer."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from crane.results.cells import integer, of_asked
from crane.results.labels import Labels
from crane.results.mask_layers import layer_counts
from crane.tables.rendering import Table

LAYER_COLUMNS = 8


def mask_counts(
    masks: Mapping[str, pd.DataFrame],
    summaries: Mapping[str, Mapping[str, Mapping[str, Any]]],
    labels: Labels,
    *,
    layers: int,
) -> Table:
    """Return the table of `crane.results.mask_layers.layer_counts`; raises and other arguments as there.

    `summaries` has, per mask set and language, the budget as `asked` where there is one: it is named where fewer
    neurons were specific to the language. The readable shape groups deep models into at most `LAYER_COLUMNS` ranges of
    layers; the tidy one has every layer.
    """
    tidy = layer_counts(masks, labels, layers)
    seeds = tidy.groupby("label")["seeds"].first().to_dict()
    size = math.ceil(layers / LAYER_COLUMNS)
    starts = tidy["layer"] // size * size
    ranges = tidy.pivot_table(
        "neurons", ["label", "language"], starts.rename("layer"), aggfunc="sum", sort=False
    )
    totals = {
        (label, language): of_asked(total, summaries.get(label, {}).get(language, {}).get("asked", total))
        for (label, language), total in ranges.sum(axis=1).items()
    }
    cells = pd.DataFrame(
        {
            ("", "Method"): [labels.name(label, seeds[label]) for label, _ in ranges.index],
            ("", "Mask"): [language for _, language in ranges.index],
            ("", "Neurons"): list(totals.values()),
        }
    )
    for start in map(int, ranges.columns):
        last = min(start + size - 1, layers - 1)
        heading = f"{start}" if last == start else f"{start}–{last}"
        cells["Layer" if size == 1 else "Layers", heading] = ranges[start].map(integer).array
    notes = ["Layers are counted from 0."]
    if max(seeds.values()) > 1:
        notes.append("Rows of several seeds: mean over the seeds.")
    return Table(
        "Neurons masked per mask set, language and layer.",
        tidy.rename(columns={"label": "mask_set"}),
        cells,
        notes,
    )
