"""The table of one layer from the files of all languages: relevance statistics, and accumulators if there are any."""

from collections.abc import Iterable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import pandas as pd

from crane.models.architectures import Site
from crane.names import ROUTED_SAMPLES
from crane.relevance.accumulated_columns import TOPS, top_column
from crane.relevance.accumulated_files import ENDING, read_accumulated
from crane.relevance.accumulators import RANKED, Accumulated
from crane.relevance.shards import merge_layer
from crane.relevance.statistics import layer_table


def accumulated_columns(merged: Accumulated) -> dict[str, Any]:
    """Return the columns of one layer that `crane.relevance.accumulated_columns.COLUMNS` describes, `[I]` each."""
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


def merged_table(
    files: Mapping[str, Iterable[str | Path]], layer: int, site: Site, least: int = ROUTED_SAMPLES
) -> pd.DataFrame:
    """Merge one layer of all languages and return its table, with the columns of accumulators where there are any.

    Args:
        files: language -> its shards and, in the same list, the accumulators beside them.
        layer: its number.
        site: where the neurons are.
        least: with experts: routed samples that a distribution needs.

    Returns:
        The table of `crane.relevance.statistics.layer_table`, with further columns.

    Raises:
        ArtefactError: a file is damaged.
    """
    shards = {code: [str(path) for path in paths] for code, paths in files.items()}
    beside = {code: [path for path in paths if path.endswith(ENDING)] for code, paths in shards.items()}
    statistics = {
        code: merge_layer([path for path in paths if not path.endswith(ENDING)], layer)
        for code, paths in shards.items()
    }
    table = layer_table(statistics, layer, site, least)
    further = []
    for paths in beside.values():
        if paths:
            merged = reduce(Accumulated.merge, (read_accumulated(path, layer) for path in paths))
            further.append(pd.DataFrame(accumulated_columns(merged)))
    if not further:
        return table
    return pd.concat([table, pd.concat(further, ignore_index=True)], axis=1)
