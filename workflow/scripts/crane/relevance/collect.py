"""From a list of tokenised samples to their statistics: batching, progress, accumulation."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from crane.relevance.accumulators import Accumulated
from crane.relevance.attribution import Attribution
from crane.relevance.memory import Fit, TooSmallError
from crane.relevance.moments import Moments
from crane.relevance.passage import Batch
from crane.relevance.routing import LayerMoments
from crane.relevance.shards import Statistics
from crane.relevance.top_samples import TopSamples


def padded(samples: Sequence[Tensor], device: Any) -> Batch:
    """Return samples, int64 `[T]` each, as one batch; its mask stays on the host."""
    mask = pad_sequence([torch.ones_like(sample) for sample in samples], batch_first=True)
    return Batch(pad_sequence(list(samples), batch_first=True).to(device), mask)


def batches(samples: Sequence[Tensor], tokens: int, most: int | None = None) -> list[list[Tensor]]:
    """Divide samples, longest first, into batches of at most so many tokens, padding included, or of one sample.

    No batch has more samples than `most`, if given. So there is little padding, and of samples of equal length too
    large a batch fails at the start.
    """
    waiting = sorted(samples, key=len, reverse=True)
    divided = []
    while waiting:
        rows = max(1, min(tokens // len(waiting[0]), most or len(waiting)))
        divided.append(waiting[:rows])
        waiting = waiting[rows:]
    return divided


class Collected(NamedTuple):
    """What `collect` returns."""

    statistics: Statistics
    fit: Fit
    """As given, or smaller if memory ran out."""
    accumulated: Accumulated | None
    """If the attribution has accumulators."""
    top: TopSamples | None
    """The samples of largest relevance, if they were asked for."""


def collect(
    attribute: Attribution,
    samples: Sequence[Tensor],
    fit: Fit,
    *,
    top: int = 0,
    first: int = 0,
    limits: Sequence[int] | None = None,
) -> Collected:
    """Return the statistics of all samples' relevance, `[K, I]`, in one pass.

    When memory runs out, the number of tokens is halved for all that remains.

    Args:
        attribute: from `crane.relevance.attribution.attribution`, unused so far.
        samples: int64 `[T]` each, at least two tokens.
        fit: tokens of a batch, and of a sweep if the attribution's way is a layer sweep.
        top: keep so many samples of largest relevance per neuron.
        first: number of the first sample, for those that are kept.
        limits: how many first tokens of each sample histograms of tokens count; None: all.

    Raises:
        TooSmallError: a single sample does not fit into the GPU's memory.
    """
    if not samples:
        raise ValueError("no samples")
    total = _Collecting()
    waiting = batches(samples, fit.batch_tokens, fit.rows)
    # Batches take the samples in this order, halved or not.
    order = sorted(range(len(samples)), key=lambda place: len(samples[place]), reverse=True)
    numbers = [first + place for place in order]
    counted = None if limits is None else {first + place: limit for place, limit in enumerate(limits)}
    with tqdm(total=sum(map(len, samples)), unit="token", unit_scale=True, mininterval=2) as bar:
        while waiting:
            group = _together(waiting, fit.sweep_tokens or 0)
            added = _added(attribute, group, total, numbers, top, counted)
            if added is None:
                fit = _halved(fit, longest=len(waiting[0][0]))
                waiting = batches(
                    [sample for batch in waiting for sample in batch], fit.batch_tokens, fit.rows
                )
                continue
            total, waiting = added, waiting[len(group) :]
            numbers = numbers[sum(map(len, group)) :]
            bar.update(sum(len(sample) for batch in group for sample in batch))
    assert total.moments is not None
    statistics = Statistics(
        total.moments.together() if isinstance(total.moments, LayerMoments) else total.moments,
        attribute.active,
        attribute.tokens,
        value_sum=attribute.value_sum,
        counted=attribute.counted,
        routed=attribute.routed,
    )
    further = attribute.further
    counts = len(samples), attribute.tokens, attribute.counted
    return Collected(statistics, fit, further.accumulated(*counts) if further else None, total.top)


class _Collecting(NamedTuple):
    """What has been collected so far."""

    moments: Moments | LayerMoments | None = None
    top: TopSamples | None = None


def _together(waiting: Sequence[list[Tensor]], tokens: int) -> list[list[Tensor]]:
    """Return the first batches that have so many tokens together, padding included, or the first alone."""
    group = [waiting[0]]
    size = len(waiting[0]) * len(waiting[0][0])
    for batch in waiting[1:]:
        size += len(batch) * len(batch[0])
        if size > tokens:
            break
        group.append(batch)
    return group


def _added(
    attribute: Attribution,
    group: Sequence[list[Tensor]],
    total: _Collecting,
    numbers: Sequence[int],
    top: int,
    limits: Mapping[int, int] | None,
) -> _Collecting | None:
    """Return what has been collected with a group of batches, or None if memory runs out.

    `numbers` begins with those of the group's samples; `limits` are by number.
    """
    try:
        with attribute.all_or_nothing():
            counted = None
            if limits is not None:
                remaining = iter(numbers)
                counted = [torch.tensor([limits[next(remaining)] for _ in batch]) for batch in group]
            found = attribute.relevances([padded(batch, attribute.model.device) for batch in group], counted)
            for place, relevance in enumerate(found):
                best = TopSamples.from_batch(relevance, numbers[: len(relevance)], top) if top else None
                numbers = numbers[len(relevance) :]
                total = _Collecting(
                    _with_batch(attribute, place, relevance, total.moments),
                    total.top.merge(best) if total.top and best else best,
                )
            return total
    except torch.OutOfMemoryError:
        return None


def _with_batch(
    attribute: Attribution, number: int, relevance: Tensor, total: Moments | LayerMoments | None
) -> Moments | LayerMoments:
    """Return the moments with those of a batch, which is one of the attribution's last call."""
    if attribute.routed is not None:
        before = total if isinstance(total, LayerMoments) else LayerMoments.none(attribute.routed.groups)
        return before.with_batch(relevance, attribute.seen[number])
    moments = Moments.from_batch(relevance)
    return total.merge(moments) if isinstance(total, Moments) else moments


def _halved(fit: Fit, *, longest: int) -> Fit:
    smaller = fit.smaller(longest)
    if smaller is None:
        raise TooSmallError(
            f"one sample of {longest:,} tokens does not fit into the GPU's memory beside the weights; set "
            "relevance.memory_gb lower, so that more layers wait in host memory, or use a larger GPU"
        )
    torch.cuda.empty_cache()
    print(f"out of memory: {smaller} from here on", flush=True)
    return smaller
