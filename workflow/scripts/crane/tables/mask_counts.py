"""Table of the masked neurons per mask set, language and layer, beside the null of their selection."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from crane.results.cells import NOTHING, integer, mean_count, of_asked, share
from crane.results.labels import Labels
from crane.results.mask_layers import layer_counts
from crane.results.null_shares import null_shares
from crane.tables.rendering import Table

LAYER_COLUMNS = 8


def mask_counts(
    masks: Mapping[str, pd.DataFrame],
    summaries: Mapping[str, Mapping[str, Mapping[str, Any]]],
    labels: Labels,
    *,
    layers: int,
    shards: int,
    selection_null: pd.DataFrame | None = None,
) -> Table:
    """Return the table of `crane.results.mask_layers.layer_counts`; raises and other arguments as there.

    `summaries` has, per mask set and language, the budget as `asked` where there is one: it is named where fewer
    neurons were specific to the language. The readable shape groups deep models into at most `LAYER_COLUMNS` ranges of
    layers; the tidy one has every layer.

    `selection_null` is the table of `crane.selection.selection_null`, absent if there are fewer `shards` per language
    than languages; the table then says so.
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
    notes = ["Layers are counted from 0."]
    if selection_null is not None:
        null = null_shares(selection_null)
        tidy = tidy.join(null.add_prefix("null_"), on=["label", "language"])
        shown = null.reindex(ranges.index)
        cells["Selection null", "Expected / observed"] = [
            NOTHING if pd.isna(expected) else f"{mean_count(expected)} / {mean_count(observed)}"
            for expected, observed in zip(shown["expected"], shown["observed"], strict=True)
        ]
        cells["Selection null", "Share"] = shown["share"].map(share).array
        notes += _null_notes(selection_null, all_there=bool(shown["expected"].notna().all()))
    elif shards < len(labels.languages):
        notes.append(
            f"No selection null: the corpora have {shards} shards per language (corpora.shards); at least as many as "
            f"languages ({len(labels.languages)}) are needed."
        )
    for start in map(int, ranges.columns):
        last = min(start + size - 1, layers - 1)
        heading = f"{start}" if last == start else f"{start}–{last}"
        cells["Layer" if size == 1 else "Layers", heading] = ranges[start].map(integer).array
    if max(seeds.values()) > 1:
        notes.append("Rows of several seeds: mean over the seeds.")
    return Table(
        "Neurons masked per mask set, language and layer.",
        tidy.rename(columns={"label": "mask_set"}),
        cells,
        notes,
    )


def _null_notes(selection_null: pd.DataFrame, *, all_there: bool) -> list[str]:
    groups, sizes = selection_null["group"].nunique(), selection_null["samples"]
    least, most = int(sizes.min()), int(sizes.max())
    samples = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    notes = [
        f"Selection null, means over {groups} groups of {samples} samples. Expected: what the same rule selects for a "
        "group from the groups of one language, which differ in their texts alone. Observed: what it selects from the "
        "same group of the real languages. Share: expected / observed; at 100% the rule selects as much without any "
        "difference of language.",
        "Where a rule ends at a number of neurons (budgets, LAPE), it does so in the null, too (null_identical in the "
        "CSV); expected are then the neurons of the null that score as high as the lowest one observed.",
    ]
    if not all_there:
        notes.append(
            f"{NOTHING}: not repeated (random, imported, of another relevance run, a ternary ranking cut to a budget)."
        )
    return notes
