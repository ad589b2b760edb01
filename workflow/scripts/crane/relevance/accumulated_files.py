"""Accumulators on disk: a second file beside a shard of relevance statistics, with checksums of its own.

A study whose mask sets need no accumulator has no such file; shards are the same with and without it.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from crane.artefacts import ArtefactError, atomic_file
from crane.relevance.accumulators import Accumulated

ENDING = ".accumulators.safetensors"
"""Ending of the second file; the number of the shard stands before it."""
_COUNTS = ("samples", "tokens", "counted")


def _digest(grids: Mapping[str, Tensor], layer: int, counts: Mapping[str, int]) -> str:
    digest = hashlib.sha256(" ".join(str(counts[name]) for name in _COUNTS).encode())
    for name in sorted(grids):
        digest.update(name.encode())
        digest.update(grids[name][layer].contiguous().numpy().tobytes())
    return digest.hexdigest()


def write_accumulated(accumulated: Accumulated, path: str | Path, metadata: Mapping[str, Any]) -> None:
    """Write the accumulators of all layers atomically, with a checksum per layer."""
    grids = {name: grid.cpu().contiguous() for name, grid in accumulated.grids.items()}
    counts = {name: getattr(accumulated, name) for name in _COUNTS}
    layers = len(next(iter(grids.values())))
    header = {**metadata, **counts, "sha256": [_digest(grids, layer, counts) for layer in range(layers)]}
    with atomic_file(path) as partial:
        save_file(grids, partial, metadata={"crane": json.dumps(header, sort_keys=True)})


def read_accumulated(path: str | Path, layer: int) -> Accumulated:
    """Read one layer without reading the others.

    Raises:
        ArtefactError: the file is truncated, altered, or has no such layer.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("crane", "{}"))
            grids = {name: file.get_slice(name)[layer : layer + 1] for name in sorted(file.keys())}
    except (SafetensorError, OSError, IndexError, json.JSONDecodeError) as error:
        raise ArtefactError(
            f"{path}: not a readable file of accumulators ({error}); delete it and run again"
        ) from error
    digests = header.get("sha256", [])
    if layer >= len(digests) or _digest(grids, 0, header) != digests[layer]:
        raise ArtefactError(f"{path}: layer {layer} does not match its checksum; delete it and run again")
    return Accumulated(
        {name: grid[0] for name, grid in grids.items()}, **{name: header[name] for name in _COUNTS}
    )
