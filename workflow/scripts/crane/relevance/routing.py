"""How often the experts of a model are used: what their statistics divide by."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from crane.models.families import Groups
from crane.relevance.moments import Moments


class Routed(NamedTuple):
    """Counts of each group of neurons: of the experts, and of the shared expert, which sees everything; a monoid."""

    groups: Groups
    samples: Tensor
    """int64 `[K, G]`, or `[G]` for one layer: samples of which the group has seen a counted token."""
    tokens: Tensor
    """int64, tokens that it has seen, padding excluded."""
    counted: Tensor
    """int64, those of them that are counted: all, or all but the first of each sample under `skip_first`."""
    total: int
    """Samples, whether they were routed to a group or not."""

    @classmethod
    def none(cls, groups: Groups, layers: int, device: Any) -> Self:
        """Return counts of 0."""
        zeros = torch.zeros(layers, groups.number, dtype=torch.int64, device=device)
        return cls(groups, zeros, zeros.clone(), zeros.clone(), 0)

    def clone(self) -> Self:
        """Return a copy."""
        return self._replace(
            samples=self.samples.clone(), tokens=self.tokens.clone(), counted=self.counted.clone()
        )

    def with_samples(self, seen: Sequence[Tensor]) -> Self:
        """Return the counts with those of samples whose tokens are counted already.

        Args:
            seen: int64 `[B, K, G]` of each batch, the counted tokens that each group has seen.
        """
        samples, counted = self.samples, self.counted
        for of_batch in seen:
            samples, counted = samples + (of_batch > 0).sum(0), counted + of_batch.sum(0)
        return self._replace(
            samples=samples, counted=counted, total=self.total + sum(len(of_batch) for of_batch in seen)
        )

    def merge(self, other: Self) -> Self:
        """Return the counts of both sets of samples together.

        Raises:
            ValueError: they are of models whose experts differ.
        """
        if self.groups != other.groups:
            raise ValueError(f"cannot merge counts of {self.groups} and {other.groups}")
        return self._replace(
            samples=self.samples + other.samples,
            tokens=self.tokens + other.tokens,
            counted=self.counted + other.counted,
            total=self.total + other.total,
        )


class LayerMoments(NamedTuple):
    """Moments over the samples that were routed to each neuron, layer by layer: float64 `[N]` of each.

    Temporary tensors are those of one layer; of a large model with experts, those of all layers would take more memory
    than its relevance.
    """

    groups: Groups
    layers: tuple[Moments, ...]

    @classmethod
    def none(cls, groups: Groups) -> Self:
        """Return those of no sample."""
        return cls(groups, ())

    def with_batch(self, relevance: Tensor, seen: Tensor) -> Self:
        """Return the moments with those of a batch.

        Args:
            relevance: `[B, K, N]`.
            seen: int64 `[B, K, G]`, the counted tokens that each group has seen.
        """
        merged = []
        for layer in range(relevance.shape[1]):
            routed = self.groups.spread(seen[:, layer] > 0)
            moments = Moments.from_routed(relevance[:, layer], routed)
            merged.append(self.layers[layer].merge(moments) if self.layers else moments)
        return self._replace(layers=tuple(merged))

    def together(self) -> Moments:
        """Return the moments of all layers, `[K, N]`."""
        return Moments(*(torch.stack(values) for values in zip(*self.layers, strict=True)))
