"""The table of one layer from the files of all languages: relevance statistics, and accumulators if there are any."""

from collections.abc import Iterable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crane.artefacts import ArtefactError
from crane.errors import CraneError
from crane.models.architectures import Site
from crane.names import ROUTED_SAMPLES
from crane.relevance.accumulated_columns import TOPS, top_column
from crane.relevance.accumulated_files import ENDING, read_accumulated
from crane.relevance.accumulators import RANKED, Accumulated
from crane.relevance.histogram_statistics import auroc, average_precision, beyond, medians, overlaps
from crane.relevance.histograms import edges_grid
from crane.relevance.shards import merge_layer
from crane.relevance.statistics import layer_table

OVERFLOW = 0.05
"""Share of a layer's counts beyond the edges from which on histograms are refused."""
_COUNTED = {"sample": "samples' mean values", "token": "activated gates"}


class BeyondEdgesError(CraneError, ValueError):
    """Too many values lie beyond the edges of the histograms."""


def accumulated_columns(merged: Accumulated) -> dict[str, Any]:
    """Return the columns of one layer that `crane.relevance.accumulated_columns.COLUMNS` describes, `[I]` each.

    Without those of histograms: `histogram_columns`.
    """
    grids = merged.grids
    found: dict[str, Any] = {}
    if "value_m2" in grids:
        found["mean_gate"] = grids["gate_sum"] / merged.tokens
        found["value_std"] = (grids["value_m2"] / merged.counted).sqrt()
    for name in RANKED:
        if f"{name}_sum" in grids:
            mean = "energy" if name == "energy" else "up_abs"
            found[mean] = grids[f"{name}_sum"] / merged.samples
            found[f"{name}_worst_rank"] = grids[f"{name}_worst_rank"]
            tops = zip(TOPS, grids[f"{name}_top_count"], strict=True)
            found |= {top_column(name, share): count for share, count in tops}
    if "abs_sum" in grids:
        found["mean_abs_token"] = grids["abs_sum"] / merged.counted
        found["mean_gradient"] = grids["gradient_sum"] / merged.samples
    return {name: values.numpy() for name, values in found.items()}


def histogram_columns(merged: Mapping[str, Accumulated]) -> dict[str, dict[str, Any]]:
    """Return language -> the columns of one layer that its histograms give beside those of the others, `[I]` each.

    Args:
        merged: language -> its accumulators of the layer.
    """
    columns: dict[str, dict[str, Any]] = {code: {} for code in merged}
    grids = {code: each.grids for code, each in merged.items()}
    counted = {name for each in grids.values() for name in each}
    if "sample_histogram" in counted:
        histograms = np.stack([each["sample_histogram"].numpy() for each in grids.values()])
        area, precisions = auroc(histograms), average_precision(histograms)
        for row, (code, own) in enumerate(grids.items()):
            values = dict(zip(("ap", "ap_low", "ap_high"), (each[row] for each in precisions), strict=True))
            edges = own[edges_grid("sample_histogram")].numpy()
            columns[code] |= {**values, "auroc": area[row], "median_value": medians(histograms[row], edges)}
            columns[code]["sample_overflow"] = beyond(histograms[row])
    if "token_histogram" in counted:
        histograms = np.stack([each["token_histogram"].numpy() for each in grids.values()])
        shared = overlaps(histograms).astype(np.float32)
        for row, code in enumerate(grids):
            columns[code] |= {"overlap_with": list(shared[row].T), "token_overflow": beyond(histograms[row])}
    return columns


def _refuse_overflow(columns: Mapping[str, Mapping[str, Any]], layer: int) -> None:
    for code, own in columns.items():
        for kind, what in _COUNTED.items():
            share = np.mean(own.get(f"{kind}_overflow", 0))
            if share > OVERFLOW:
                raise BeyondEdgesError(
                    f"layer {layer}, {code}: {share:.1%} of the {what} lie beyond the edges that the pilot fixed, more "
                    f"than {OVERFLOW:.0%}; raise relevance.pilot, the samples of each language by which they are fixed"
                )


def _read_merged(files: Mapping[str, list[str]], layer: int) -> dict[str, Accumulated]:
    """Return language -> its merged accumulators of a layer.

    Raises:
        ArtefactError: a file is damaged, or has histograms with other edges than another one.
    """
    merged: dict[str, Accumulated] = {}
    first: tuple[str, str | None] | None = None
    for code, paths in files.items():
        parts = []
        for path in paths:
            part = read_accumulated(path, layer)
            first = first or (path, part.edges)
            if part.edges != first[1]:
                raise ArtefactError(
                    f"{path}: its histograms have other edges than those of {first[0]}; delete both and run again"
                )
            parts.append(part)
        if parts:
            merged[code] = reduce(Accumulated.merge, parts)
    return merged


def merged_table(
    files: Mapping[str, Iterable[str | Path]],
    layer: int,
    site: Site,
    least: int = ROUTED_SAMPLES,
    *,
    histograms: bool = True,
) -> pd.DataFrame:
    """Merge one layer of all languages and return its table, with the columns of accumulators where there are any.

    Args:
        files: language -> its shards and, in the same list, the accumulators beside them.
        layer: its number.
        site: where the neurons are.
        least: with experts: routed samples that a distribution needs.
        histograms: whether the columns of histograms are wanted, each of which is about all languages together.

    Returns:
        The table of `crane.relevance.statistics.layer_table`, with further columns.

    Raises:
        ArtefactError: a file is damaged, or has histograms with other edges than another one.
        BeyondEdgesError: too many values lie beyond the edges of the histograms.
    """
    shards = {code: [str(path) for path in paths] for code, paths in files.items()}
    beside = {code: [path for path in paths if path.endswith(ENDING)] for code, paths in shards.items()}
    statistics = {
        code: merge_layer([path for path in paths if not path.endswith(ENDING)], layer)
        for code, paths in shards.items()
    }
    table = layer_table(statistics, layer, site, least)
    merged = _read_merged(beside, layer)
    if not merged:
        return table
    columns = histogram_columns(merged) if histograms else {code: {} for code in merged}
    _refuse_overflow(columns, layer)
    further = [pd.DataFrame(accumulated_columns(each) | columns[code]) for code, each in merged.items()]
    return pd.concat([table, pd.concat(further, ignore_index=True)], axis=1)
