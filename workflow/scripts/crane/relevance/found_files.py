"""The files of what a relevance job finds on a shard: its statistics, what is accumulated beside them, top samples."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from crane.parts import part_key
from crane.relevance.accumulated_files import ENDING, write_accumulated
from crane.relevance.collect import Collected
from crane.relevance.shards import write_shard
from crane.relevance.top_samples import write_top_samples

Kind = Literal["shard", "accumulators", "top samples"]


def by_shard(paths: Iterable[str], *, finding: bool) -> dict[int, dict[Kind, str]]:
    """Return shard -> kind of file -> path of a job's outputs, which are all top samples if it is `finding` those."""
    targets: dict[int, dict[Kind, str]] = {}
    for path in paths:
        kind: Kind = "top samples" if finding else "accumulators" if path.endswith(ENDING) else "shard"
        targets.setdefault(int(Path(path).name.partition(".")[0]), {})[kind] = path
    return targets


def keys(
    deciding: Mapping[str, Any], accumulators: list[str], top: int, binning: Mapping[str, Any] | None = None
) -> dict[Kind, str]:
    """Return the key of each kind of file in the store of parts: a shard's is the same whatever is kept beside it.

    Args:
        deciding: everything that determines a shard.
        accumulators: what is accumulated.
        top: samples that are kept per neuron.
        binning: what determines histograms besides, if there are any.
    """
    return {
        "shard": part_key(deciding),
        "accumulators": part_key({**deciding, "accumulators": accumulators, **(binning or {})}),
        "top samples": part_key({**deciding, "top_samples": top}),
    }


def writers(found: Collected, metadata: Mapping[str, Any]) -> dict[Kind, Callable[[Path], None]]:
    """Return kind of file -> function that writes it, of what was found."""
    found_writers: dict[Kind, Callable[[Path], None]] = {
        "shard": partial(write_shard, found.statistics, metadata=metadata)
    }
    if found.accumulated is not None:
        found_writers["accumulators"] = partial(write_accumulated, found.accumulated, metadata=metadata)
    if found.top is not None:
        found_writers["top samples"] = partial(write_top_samples, found.top, metadata=metadata)
    return found_writers
