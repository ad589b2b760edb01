"""Batches of samples, and what is found of them on their way through a model."""

from typing import NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """Samples of similar length, padded on the right."""

    input_ids: Tensor
    """int64 `[B, T]`"""
    attention_mask: Tensor
    """int64 `[B, T]`, 1 for real tokens; on the host it costs a GPU no synchronisation."""


def lengths_of(batch: Batch, limit: int | None) -> Tensor:
    """Check a batch and return the lengths of its samples, int64 `[B]`, on the host.

    Args:
        batch: the batch.
        limit: positions of the model, if it has a limit.

    Raises:
        ValueError: a sample is too short or too long, or padding is not on the right.
    """
    input_ids, mask = batch.input_ids, batch.attention_mask.bool().cpu()
    if limit is not None and input_ids.shape[1] > limit:
        raise ValueError(f"samples of {input_ids.shape[1]} tokens: the model has positions for {limit}")
    lengths = mask.sum(1)
    if lengths.min() < 2:
        raise ValueError("a sample needs at least 2 tokens: the objective predicts token t+1 from token t")
    if (mask[:, 1:] & ~mask[:, :-1]).any():
        raise ValueError("padding must be on the right")
    return lengths


class Passage:
    """One batch on its way through the model, and the relevance that the hooks have found so far.

    `width`, the neurons per layer, is given if the relevance of a layer arrives in parts; `limits`, int64 `[B]`, if
    only so many first tokens of each sample are counted in histograms of tokens.
    """

    def __init__(
        self,
        input_ids: Tensor,
        lengths: Tensor,
        layers: int,
        skip_first: bool,
        width: int | None = None,
        limits: Tensor | None = None,
    ) -> None:
        self.input_ids = input_ids
        self.lengths = lengths
        real = torch.arange(input_ids.shape[1]) < lengths[:, None]
        counted = real.clone()
        if skip_first:
            counted[:, 0] = False
        self.tokens, self.counted_tokens = int(lengths.sum()), int(counted.sum())
        self.real, self.counted = real.to(input_ids.device), counted.to(input_ids.device)
        """bool `[B, T]`: no padding; and what the aggregate counts."""
        self.all_real, self.all_counted = bool(real.all()), bool(counted.all())
        """Samples of equal length need no masks, each of which is a pass over `[B, T, I]`."""
        binned = real if limits is None else real & (torch.arange(input_ids.shape[1]) < limits[:, None])
        self.binned_tokens = int(binned.sum())
        self.binned = self.real if limits is None else binned.to(input_ids.device)
        """bool `[B, T]`: the tokens that histograms count."""
        self.relevance: list[Tensor | None] = [None] * layers
        """float32 `[B, I]` of each layer."""
        self.routed: dict[int, Tensor] = {}
        """With experts: layer -> int64 `[B, G]`, the counted tokens that each group of neurons has seen."""
        self._width = width

    def keep(self, layer: int, part: slice, relevance: Tensor) -> None:
        """Keep the relevance `[B, n]` of a layer's neurons, or with experts of a part of them."""
        if self._width is None:
            self.relevance[layer] = relevance
            return
        whole = self.relevance[layer]
        if whole is None:  # a part that never arrives stays NaN
            whole = self.relevance[layer] = relevance.new_full((len(relevance), self._width), torch.nan)
        whole[:, part] = relevance

    def seen(self) -> Tensor:
        """Return `routed` of all layers, int64 `[B, K, G]`."""
        return torch.stack([self.routed[layer] for layer in sorted(self.routed)], 1)
