"""From a list of tokenised samples to their statistics: batching, progress, accumulation."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from crane.relevance.attribution import Attribution
from crane.relevance.moments import Moments
from crane.relevance.shards import Statistics


class Batch(NamedTuple):
    """Samples of similar length, padded on the right."""

    input_ids: Tensor
    """int64 `[B, T]`"""
    attention_mask: Tensor
    """int64 `[B, T]`, 1 for real tokens; on the host."""


def batches(samples: Sequence[Tensor], batch_size: int, device: Any) -> Iterator[Batch]:
    """Yield all samples, longest first: little padding, and too large a batch fails at the start."""
    order = sorted(range(len(samples)), key=lambda i: (-len(samples[i]), i))
    for start in range(0, len(order), batch_size):
        chosen = [samples[i] for i in order[start : start + batch_size]]
        mask = pad_sequence([torch.ones_like(s) for s in chosen], batch_first=True)
        yield Batch(pad_sequence(chosen, batch_first=True).to(device), mask)


def collect(attribute: Attribution, samples: Sequence[Tensor], batch_size: int) -> Statistics:
    """Return the statistics of all samples' relevance, `[K, I]`, in one pass.

    Args:
        attribute: from `crane.relevance.attribution.attribution`, unused so far.
        samples: int64 `[T]` each, at least two tokens.
        batch_size: samples per forward and backward pass.
    """
    total: Moments | None = None
    with tqdm(total=sum(map(len, samples)), unit="token", unit_scale=True, mininterval=2) as bar:
        for batch in batches(samples, batch_size, attribute.model.device):
            moments = Moments.from_batch(attribute(batch.input_ids, batch.attention_mask))
            total = moments if total is None else total.merge(moments)
            bar.update(int(batch.attention_mask.sum()))
    if total is None:
        raise ValueError("no samples")
    return Statistics(
        total, attribute.active, attribute.tokens, value_sum=attribute.value_sum, counted=attribute.counted
    )
