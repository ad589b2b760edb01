"""Further sums of a relevance run, for the methods that need more than the moments of relevance.

An accumulator is made only if it is asked for, in the same pass as the relevance:

* `values`: the sum of the activated gate, and mean and M2 of the neurons' values over the tokens.
* `energy`: e, how much of the MLP's output a sample loses without the neuron, and the neuron's ranks by it. Without
  neuron k the output of the MLP changes by a_k W_down[:, k] at each token, so the norm of the change over a sample is
  sqrt(sum_t a_k^2) ||W_down[:, k]||: what PLND (Zhao et al. 2024, arXiv 2402.18815) defines as importance and
  measures by deactivating neurons one at a time.
* `up`: the ranks by sum_t |u|, with the up projection's output u: what PLND's released code ranks by.
* `gradients`: the sums of |relevance| and of the gradient over the tokens.
* `sample_histogram`, `token_histogram`: `crane.relevance.histograms`.

Padding never counts. `skip_first` leaves the first position out of all but the gate, which is counted as LAPE's
activations are.
"""

from collections.abc import Collection
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from crane.models.architectures import MLP, write_weights
from crane.relevance.accumulated_columns import HISTOGRAMS, TOPS
from crane.relevance.histograms import BinEdges, Histograms
from crane.relevance.passage import Passage

SUMS = {
    "values": ("gate_sum", "value_mean", "value_m2"),
    "energy": ("energy_sum",),
    "up": ("up_sum",),
    "gradients": ("abs_sum", "gradient_sum"),
}
"""Accumulator -> its float64 grids `[K, I]`."""
RANKED = ("energy", "up")
"""Accumulators with ranks: int32 `<name>_worst_rank` `[K, I]` and `<name>_top_count` `[K, J, I]`, J = `len(TOPS)`."""


class Accumulated(NamedTuple):
    """Accumulators of one language's samples; a monoid, like `crane.relevance.moments.Moments`."""

    grids: dict[str, Tensor]
    """By name, `[K, I]`, `[K, J, I]` or of histograms `[K, I, BINS + 2]`; of one layer without the first axis."""
    samples: int
    tokens: int
    """Without padding."""
    counted: int
    """Tokens without padding and, under `skip_first`, without the first ones."""
    edges: str | None = None
    """Hash of the edges of the histograms, if there are any."""

    def merge(self, other: Self) -> Self:
        """Return the accumulators of both sets of samples together; counts and ranks exactly, sums to rounding.

        Raises:
            ValueError: they are not the same accumulators, or histograms with other edges.
        """
        if self.grids.keys() != other.grids.keys():
            raise ValueError(f"cannot merge accumulators {sorted(self.grids)} and {sorted(other.grids)}")
        if self.edges != other.edges:
            raise ValueError(f"cannot merge histograms with edges {self.edges} and {other.edges}")
        merged = {name: _merged(name, grid, other.grids[name]) for name, grid in self.grids.items()}
        if "value_m2" in merged:
            mine, others = _of_values(self.grids), _of_values(other.grids)
            merged["value_mean"], merged["value_m2"] = chan(mine, self.counted, others, other.counted)
        counts = self.samples + other.samples, self.tokens + other.tokens, self.counted + other.counted
        return type(self)(merged, *counts, self.edges)


def _merged(name: str, one: Tensor, other: Tensor) -> Tensor:
    if name.endswith("_edges"):
        return one
    return torch.maximum(one, other) if name.endswith("_worst_rank") else one + other


def _of_values(grids: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    return grids["value_mean"], grids["value_m2"]


def chan(
    one: tuple[Tensor, Tensor], count: int, other: tuple[Tensor, Tensor], other_count: int
) -> tuple[Tensor, Tensor]:
    """Return mean and sum of squared deviations of two sets of numbers together (Chan, Golub & LeVeque 1983).

    Args:
        one, other: mean and sum of squared deviations of each set.
        count, other_count: size of each set; that of the second is not 0.
    """
    total = count + other_count
    delta = other[0] - one[0]
    mean = one[0] + delta * (other_count / total)
    return mean, one[1] + other[1] + delta**2 * (count * other_count / total)


def output_change(values: Tensor, norms: Tensor) -> Tensor:
    """Return `[B, I]`: the norm, over a sample's tokens, of what an MLP's output loses without each single neuron.

    Args:
        values: `[B, T, I]`, 0 at tokens that do not count.
        norms: `[I]`, the norm of each neuron's column of the down projection.
    """
    # `torch.linalg.vector_norm` is twenty times slower along an inner dimension on a CPU.
    return values.square().sum(1).sqrt() * norms


def ranks(importance: Tensor) -> Tensor:
    """Return int64 `[B, I]`: each neuron's place by descending importance in its sample, from 0; ties by number.

    Args:
        importance: `[B, I]`, not negative.
    """
    order = _order(importance)
    places = torch.arange(order.shape[1], device=order.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places)


def _order(importance: Tensor) -> Tensor:
    """Return int64 `[B, I]`: the numbers of the neurons by descending importance, equal ones by number."""
    if importance.device.type != "cpu" or importance.dtype != torch.float32:
        return importance.argsort(dim=1, descending=True, stable=True)
    # Numbers that are not negative are ordered as their bits. With the neuron's number below them no two keys are
    # equal, and NumPy sorts these three times as fast as torch sorts stably.
    last = importance.shape[1] - 1
    keys = (importance.contiguous().view(torch.int32).long() << 32) | torch.arange(last, -1, -1)
    placed = torch.from_numpy(np.sort(keys.numpy(), axis=1)).flip(1)
    return last - (placed & 0xFFFFFFFF)


def top_sizes(width: int) -> list[int]:
    """Return the number of neurons of a layer that each share of `TOPS` makes, at least 1."""
    return [max(1, round(share * width)) for share in TOPS]


class Accumulators:
    """Fills accumulators from within the hooks of an attribution.

    Args:
        names: keys of `SUMS` or of `HISTOGRAMS`, for which the model has what they read
            (`crane.models.families.check_gate`).
        mlps: the MLPs of the model, in layer order.
        width: neurons per layer.
        device: of the grids.
        edges: of the histograms among the names.

    Raises:
        ValueError: an unknown accumulator, or a histogram without edges.
    """

    def __init__(
        self,
        names: Collection[str],
        mlps: list[MLP],
        width: int,
        device: Any,
        edges: BinEdges | None = None,
    ) -> None:
        known = (*SUMS, *HISTOGRAMS)
        if unknown := set(names) - set(known):
            raise ValueError(f"unknown accumulators {sorted(unknown)}; known: {', '.join(known)}")
        self.names = frozenset(names)
        self._mlps = mlps
        self._sizes = torch.tensor(top_sizes(width), dtype=torch.int32, device=device)
        self._norms: list[Tensor | None] = [None] * len(mlps)
        self._merged = [0] * len(mlps)
        shape = (len(mlps), width)
        self.grids: dict[str, Tensor] = {}
        self._histograms = Histograms(self.names & set(HISTOGRAMS), edges, device)
        self.grids |= self._histograms.empty()
        for name in sorted(self.names - set(HISTOGRAMS)):
            for grid in SUMS[name]:
                self.grids[grid] = torch.zeros(shape, dtype=torch.float64, device=device)
            if name in RANKED:
                self.grids[f"{name}_worst_rank"] = torch.zeros(shape, dtype=torch.int32, device=device)
                tops = torch.zeros(len(mlps), len(TOPS), width, dtype=torch.int32, device=device)
                self.grids[f"{name}_top_count"] = tops

    def snapshot(self) -> tuple[dict[str, Tensor], list[int]]:
        """Return a copy of what has been accumulated, for `restore`."""
        return {name: grid.clone() for name, grid in self.grids.items()}, list(self._merged)

    def restore(self, before: tuple[dict[str, Tensor], list[int]]) -> None:
        """Go back to a snapshot."""
        self.grids, self._merged = before

    def on_gate(self, layer: int, gate: Tensor, passage: Passage) -> None:
        """Add the activated gate `[B, T, I]` of a layer."""
        if "values" in self.names:
            if passage.all_real:
                total = gate.sum((0, 1), dtype=torch.float32)
            else:
                total = _weighted(gate.float(), passage.real)
            self.grids["gate_sum"][layer] += total
        self._histograms.on_gate(self.grids, layer, gate, passage)

    def on_up(self, layer: int, up: Tensor, passage: Passage) -> None:
        """Add the up projection's output `[B, T, I]` of a layer."""
        size = up.float().abs()
        if not passage.all_counted:
            size *= passage.counted.unsqueeze(2)
        self._rank("up", layer, size.sum(1))

    def on_values(self, layer: int, values: Tensor, total: Tensor, passage: Passage) -> None:
        """Add the values of a layer's neurons.

        Args:
            layer: its number.
            values: float32 `[B, T, I]`, 0 where a token is not counted.
            total: float32 `[I]`, their sum.
            passage: the batch.
        """
        self._histograms.on_values(self.grids, layer, values, passage)
        if "energy" in self.names:
            self._rank("energy", layer, output_change(values, self._column_norms(layer)))
        if "values" in self.names:
            mean = total / passage.counted_tokens
            deviation = values - mean
            if not passage.all_counted:
                deviation *= passage.counted.unsqueeze(2)
            m2 = deviation.square_().sum((0, 1)).double()
            before = self.grids["value_mean"][layer], self.grids["value_m2"][layer]
            count = passage.counted_tokens
            mean, m2 = chan(before, self._merged[layer], (mean.double(), m2), count)
            self.grids["value_mean"][layer], self.grids["value_m2"][layer] = mean, m2
            self._merged[layer] += count

    def on_gradient(self, layer: int, gradient: Tensor, relevance: Tensor, passage: Passage) -> None:
        """Add gradient and relevance of a layer's neurons, float32 `[B, T, I]`; the latter 0 where not counted."""
        if "gradients" in self.names:
            total = gradient.sum((0, 1)) if passage.all_counted else _weighted(gradient, passage.counted)
            self.grids["gradient_sum"][layer] += total
            self.grids["abs_sum"][layer] += relevance.abs().sum((0, 1))

    def accumulated(self, samples: int, tokens: int, counted: int) -> Accumulated:
        """Return what has been accumulated, with the counts of all samples seen."""
        grids = self.grids | self._histograms.edges()
        return Accumulated(grids, samples, tokens, counted, self._histograms.digest)

    def _rank(self, name: str, layer: int, importance: Tensor) -> None:
        self.grids[f"{name}_sum"][layer] += importance.sum(0, dtype=torch.float64)
        rank = ranks(importance)
        worst = self.grids[f"{name}_worst_rank"]
        worst[layer] = torch.maximum(worst[layer], rank.amax(0).int())
        within = rank.int() < self._sizes[:, None, None]  # [J, B, I]
        self.grids[f"{name}_top_count"][layer] += within.sum(1, dtype=torch.int32)

    def _column_norms(self, layer: int) -> Tensor:
        """Return the norms `[I]` of a layer's down columns, taken when its weights are on the device."""
        norms = self._norms[layer]
        if norms is None:
            (columns,) = write_weights(self._mlps[layer].down, "intermediate")
            norms = torch.linalg.vector_norm(columns.detach(), dim=1, dtype=torch.float32)
            self._norms[layer] = norms
        return norms


def _weighted(values: Tensor, counted: Tensor) -> Tensor:
    """Return `[I]`: the sum of `[B, T, I]` over the tokens that bool `[B, T]` counts."""
    return counted.flatten().to(values.dtype) @ values.flatten(0, 1)
