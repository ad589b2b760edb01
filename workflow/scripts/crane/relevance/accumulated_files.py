"""Accumulators on disk: a second file beside a shard of relevance statistics, with checksums of its own.

A study whose mask sets need no accumulator has no such file; shards are the same with and without it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crane.relevance.accumulators import Accumulated
from crane.relevance.layer_files import LayerFiles

ENDING = ".accumulators.safetensors"
"""Ending of the second file; the number of the shard stands before it."""
_COUNTS = ("samples", "tokens", "counted")
_FILES = LayerFiles("file of accumulators", _COUNTS)


def write_accumulated(accumulated: Accumulated, path: str | Path, metadata: Mapping[str, Any]) -> None:
    """Write the accumulators of all layers atomically, with a checksum per layer."""
    counts = {name: getattr(accumulated, name) for name in _COUNTS}
    edges = {} if accumulated.edges is None else {"edges": accumulated.edges}
    _FILES.write(accumulated.grids, path, {**metadata, **counts, **edges})


def read_accumulated(path: str | Path, layer: int) -> Accumulated:
    """Read one layer without reading the others.

    Raises:
        ArtefactError: the file is truncated, altered, or has no such layer.
    """
    grids, header = _FILES.read(path, layer)
    return Accumulated(grids, **{name: header[name] for name in _COUNTS}, edges=header.get("edges"))
