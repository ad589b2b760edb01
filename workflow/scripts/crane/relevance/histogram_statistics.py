"""What histograms between common edges say of neurons: how well they tell languages apart, medians, overlaps.

Arrays are `[L, I, B]`: languages, neurons, bins in ascending order, those beyond the edges first and last.
"""

import numpy as np
from scipy.special import digamma

from crane.relevance.accumulated_columns import BINS


def _reciprocal_sum(first: np.ndarray, step: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the sum over i = 1 ... count of 1 / (first + i step), for `step` > 0 and `first` >= 0."""
    start = first / step + 1
    return (digamma(start + count) - digamma(start)) / step


def _precisions(
    before: np.ndarray, negatives_before: np.ndarray, positives: np.ndarray, step: np.ndarray
) -> np.ndarray:
    """Return the sum of the precisions at the positives of a bin.

    At the i-th of them, i = 1 ... `positives`, the precision is (t + i) / (t + f + i step), with t = `before` the
    positives of higher bins, f = `negatives_before` the negatives ahead of this bin's first positive, and `step` how
    many places of the order each positive of the bin takes.
    """
    first = before + negatives_before
    # (t + i) / (c + i d) = (1 + (t - c / d) / (c / d + i)) / d
    excess = (before - first / step) * _reciprocal_sum(first, step, positives)
    return positives / step + excess


def average_precision(histograms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the average precision of each neuron as a classifier of each language, and its bounds, `[L, I]` each.

    Non-interpolated, as of scikit-learn, with the samples ordered by descending value. Within a bin the order is not
    known: the b negatives are spread evenly between the a positives, so that b i / (a + 1) of them are ahead of the
    i-th; the bounds have all of them ahead (low), or none (high).

    Args:
        histograms: counts of samples, `[L, I, B]`.
    """
    found, low, high = (np.empty(histograms.shape[:2]) for _ in range(3))
    descending = histograms[:, :, ::-1].astype(np.float64)
    every = descending.sum(0)
    for row, positives in enumerate(descending):
        negatives = every - positives
        before = positives.cumsum(1) - positives
        behind = negatives.cumsum(1)
        one = np.ones_like(positives)
        total = positives.sum(1)
        spread = 1 + negatives / (positives + 1)
        for values, ahead, step in (
            (found, behind - negatives, spread),
            (low, behind, one),
            (high, behind - negatives, one),
        ):
            values[row] = _precisions(before, ahead, positives, step).sum(1) / total
    return found, low, high


def auroc(histograms: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve of each neuron as a classifier of each language, `[L, I]`.

    The probability that a sample of the language has a larger value than one of the others; ties, here samples of one
    bin, count half.

    Args:
        histograms: counts of samples, `[L, I, B]`.
    """
    counts = histograms.astype(np.float64)
    negatives = counts.sum(0) - counts
    smaller = negatives.cumsum(2) - negatives
    pairs = counts.sum(2) * negatives.sum(2)
    return (counts * (smaller + negatives / 2)).sum(2) / pairs


def overlaps(histograms: np.ndarray) -> np.ndarray:
    """Return the overlap of the distributions of every two languages, `[L, L, I]`: sum over bins of the smaller share.

    Args:
        histograms: counts, `[L, I, B]`.
    """
    share = histograms / histograms.sum(2, keepdims=True)
    found = np.empty((len(share), *histograms.shape[:2]))
    for row, own in enumerate(share):
        found[row] = np.minimum(own, share).sum(2)
        found[row, row] = 1  # not but for rounding
    return found


def medians(histogram: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the median of each neuron, `[I]`, as if the values of a bin were spread evenly in it.

    A median beyond the edges is the edge.

    Args:
        histogram: counts, `[I, B]`.
        edges: lower and upper edge, `[2, I]`.
    """
    half = histogram.sum(1) / 2
    sums = histogram.cumsum(1)
    place = (sums < half[:, None]).sum(1)
    neurons = np.arange(len(histogram))
    inside = histogram[neurons, place]
    into = (half - (sums[neurons, place] - inside)) / inside
    low, high = edges.astype(np.float64)
    # The first of the bins lies below the lower edge.
    return low + np.clip((place - 1 + into) / BINS, 0, 1) * (high - low)


def beyond(histogram: np.ndarray) -> np.ndarray:
    """Return the share of the counts that lie beyond the edges.

    Args:
        histogram: counts, `[..., B]`.
    """
    return (histogram[..., 0] + histogram[..., -1]) / histogram.sum(-1)
