"""Shards of relevance statistics on disk: moments and activation counters of one language's samples."""

from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple, Self

from torch import Tensor

from crane.models.families import Groups
from crane.relevance.layer_files import LayerFiles
from crane.relevance.moments import Moments
from crane.relevance.routing import Routed

_GRIDS = ("mean", "m2", "m3", "m4", "mean_abs", "minimum", "maximum")
_OWN = ("active", "value_sum")
_FILES = LayerFiles("relevance shard", ("n", "tokens", "counted"))
_ROUTED = ("samples", "tokens", "counted")


class Statistics(NamedTuple):
    """Statistics of one language's samples; a monoid, like `Moments`."""

    moments: Moments
    """Moments of the per-sample relevance, float64 `[K, I]`, or `[I]` for one layer."""
    active: Tensor
    """int64, tokens with a positive activation per neuron of the MLP's inner layer (LAPE)."""
    tokens: int
    value_sum: Tensor
    """float64, sum of each neuron's value over the counted tokens, of the shape of the moments."""
    counted: int
    """Tokens summed in `value_sum`: all of them, or all but the first of each sample under `skip_first`."""
    routed: Routed | None = None
    """With experts: how often each was used; the moments are then those over the samples routed to a neuron."""

    def merge(self, other: Self) -> Self:
        """Return the statistics of both sets of samples together."""
        return type(self)(
            self.moments.merge(other.moments),
            self.active + other.active,
            self.tokens + other.tokens,
            self.value_sum + other.value_sum,
            self.counted + other.counted,
            None if self.routed is None or other.routed is None else self.routed.merge(other.routed),
        )


def write_shard(statistics: Statistics, path: str | Path, metadata: Mapping[str, Any]) -> None:
    """Write `[K, I]` statistics atomically, with a checksum per layer."""
    tensors = {name: getattr(statistics.moments, name) for name in _GRIDS}
    tensors |= {name: getattr(statistics, name) for name in _OWN}
    n, routed = statistics.moments.n, statistics.routed
    if routed is not None:
        tensors |= {f"routed_{name}": getattr(routed, name) for name in _ROUTED}
        n, metadata = routed.total, {**metadata, "groups": list(routed.groups)}
    assert isinstance(n, int)
    counts = {"n": n, "tokens": statistics.tokens, "counted": statistics.counted}
    _FILES.write(tensors, path, {**metadata, **counts})


def read_layer(path: str | Path, layer: int) -> Statistics:
    """Read one layer (`[I]` tensors) of a shard without reading the others.

    Raises:
        ArtefactError: the shard is truncated, altered, or has no such layer.
    """
    tensors, header = _FILES.read(path, layer)
    routed, n = None, header["n"]
    if "groups" in header:
        counts = {name: tensors[f"routed_{name}"] for name in _ROUTED}
        routed = Routed(Groups(*header["groups"]), total=header["n"], **counts)
        n = routed.groups.spread(routed.samples).double()
    moments = Moments(n=n, **{name: tensors[name] for name in _GRIDS})
    counters = {name: tensors[name] for name in _OWN}
    return Statistics(moments, tokens=header["tokens"], counted=header["counted"], routed=routed, **counters)


def read_header(path: str | Path) -> dict[str, Any]:
    """Return the metadata of a shard: its provenance, `n`, `tokens`, checksums.

    Raises:
        ArtefactError: the shard is truncated or altered.
    """
    return _FILES.header(path)


def merge_layer(paths: list[str] | list[Path], layer: int) -> Statistics:
    """Merge one layer of several shards, in the order given."""
    return reduce(Statistics.merge, (read_layer(path, layer) for path in paths))
