"""Histograms of every neuron, counted batch by batch between edges that were fixed before.

* `sample_histogram`: of the neuron's mean over a sample's counted tokens, one count per sample.
* `token_histogram`: of the activated gate, one count per token, of the first tokens of a shard.

Counts are integers, so that the histograms of shards merge exactly.
"""

import hashlib
from collections.abc import Collection
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from crane.relevance.accumulated_columns import BINS
from crane.relevance.passage import Passage

_AT_ONCE = 2**23
"""Values whose bins are found together: 134 MB of numbers between values and counts."""


class BinEdges(NamedTuple):
    """The edges of a model's neurons."""

    edges: dict[str, Tensor]
    """Histogram -> float32 `[K, 2, I]`: lower and upper edge."""
    digest: str
    """SHA-256 of edges and number of bins, which every histogram between them carries."""

    @classmethod
    def of(cls, edges: dict[str, Tensor]) -> Self:
        """Return edges with their hash."""
        digest = hashlib.sha256(f"{BINS} bins".encode())
        for name, grid in sorted(edges.items()):
            digest.update(name.encode())
            digest.update(grid.contiguous().numpy().tobytes())
        return cls(edges, digest.hexdigest())


def edges_grid(histogram: str) -> str:
    """Return the name of the grid of a histogram's edges, float32 `[K, 2, I]`: lower and upper."""
    return f"{histogram}_edges"


def bin_numbers(values: Tensor, edges: Tensor) -> Tensor:
    """Return int64 of the shape of `values`: 0 below the lower edge, `BINS` + 1 from the upper one on.

    Args:
        values: float32 `[..., I]`.
        edges: float32 `[2, I]`.
    """
    low, high = edges
    # What is NaN here is refused with the relevance of its batch, not as an index outside of the histogram.
    scaled = ((values - low) * (BINS / (high - low))).nan_to_num_(nan=0.0)
    return scaled.floor_().add_(1).clamp_(0, BINS + 1).long()


def add_values(histogram: Tensor, values: Tensor, edges: Tensor) -> None:
    """Count values in a histogram, in place.

    Args:
        histogram: int32 `[I, BINS + 2]`.
        values: `[n, I]`.
        edges: float32 `[2, I]`.
    """
    width, bins = histogram.shape
    first = torch.arange(0, width * bins, bins, device=histogram.device)
    for part in values.split(max(1, _AT_ONCE // width)):
        places = bin_numbers(part.float(), edges) + first
        histogram.view(-1).add_(torch.bincount(places.flatten(), minlength=width * bins))


class Histograms:
    """Fills histograms from within the hooks of an attribution.

    Args:
        names: keys of `crane.relevance.accumulated_columns.HISTOGRAMS`.
        found: their edges.
        device: of the histograms.

    Raises:
        ValueError: a histogram without edges.
    """

    def __init__(self, names: Collection[str], found: BinEdges | None, device: Any) -> None:
        self.digest = found.digest if found and names else None
        """Hash of the edges, if there are histograms."""
        edges = found.edges if found else {}
        if missing := set(names) - edges.keys():
            raise ValueError(f"accumulators {sorted(missing)} without edges of their bins")
        self._edges = {name: edges[name].to(device) for name in sorted(names)}

    def edges(self) -> dict[str, Tensor]:
        """Return the edges as grids: name -> float32 `[K, 2, I]`."""
        return {edges_grid(name): grid for name, grid in self._edges.items()}

    def empty(self) -> dict[str, Tensor]:
        """Return the histograms before the first batch: name -> int32 `[K, I, BINS + 2]`."""
        return {
            name: torch.zeros(len(grid), grid.shape[2], BINS + 2, dtype=torch.int32, device=grid.device)
            for name, grid in self._edges.items()
        }

    def on_gate(self, grids: dict[str, Tensor], layer: int, gate: Tensor, passage: Passage) -> None:
        """Count the activated gate `[B, T, I]` of a layer at the tokens that the passage has for it."""
        name = "token_histogram"
        if name not in self._edges or passage.binned_tokens == 0:
            return
        every = passage.binned_tokens == passage.real.numel()
        values = gate.flatten(0, 1) if every else gate[passage.binned]
        add_values(grids[name][layer], values, self._edges[name][layer])

    def on_values(self, grids: dict[str, Tensor], layer: int, values: Tensor, passage: Passage) -> None:
        """Count the means over the samples' tokens of a layer's values, float32 `[B, T, I]`, 0 where not counted."""
        name = "sample_histogram"
        if name in self._edges:
            means = values.sum(1) / passage.counted.sum(1, keepdim=True)
            add_values(grids[name][layer], means, self._edges[name][layer])


def token_limits(lengths: list[int], most: int) -> list[int]:
    """Return of how many of its first tokens each sample is counted, so that there are `most` together."""
    limits = []
    for length in lengths:
        limits.append(min(length, most))
        most -= limits[-1]
    return limits
