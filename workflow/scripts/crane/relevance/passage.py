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


class Passage:
    """One batch on its way through the model, and the relevance that the hooks have found so far."""

    def __init__(self, input_ids: Tensor, lengths: Tensor, layers: int, skip_first: bool) -> None:
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
        self.relevance: list[Tensor | None] = [None] * layers
        """float32 `[B, I]` of each layer."""
