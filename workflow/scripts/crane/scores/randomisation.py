"""One-sided randomisation tests of "a mask costs one language more than another", for many masks at once.

They hold their level where a bootstrap does not: with few questions, with few changed answers, in the far tail that
Holm's correction needs, and where one language has many more questions than the other. p is never 0: it is
(1 + randomisations with at least as large a statistic) / (1 + randomisations) (Davison & Hinkley 1997, section 4.2).
"""

from collections.abc import Iterator, Sequence
from math import comb
from typing import NamedTuple

import numpy as np

EQUAL = 1e-9
"""Relative difference below which two statistics are equal: sums in another order differ in their last digits."""
LARGEST = 1e300
AT_ONCE = 10_000_000
"""Entries of the matrix of randomisations that are in memory at once."""


class Losses(NamedTuple):
    """What masks cost one language, unit by unit; a unit is a question, a passage with its questions, or a document."""

    sums: np.ndarray
    """float64 `[..., U]`, score before minus score after, summed over what a unit holds; 0 where it holds nothing."""
    sizes: np.ndarray
    """float64 `[..., U]`, how many scored questions, or tokens, each unit holds."""


def more_lost(
    first: Losses, second: Losses, signs: np.ndarray, *, paired: bool, resamples: int, seed: Sequence[int]
) -> np.ndarray:
    """Return p of "the first language loses more", or the second, under each of M masks, float64 `[M]`.

    The loss of a language is the sum of its `sums` divided by that of its `sizes`; p is NaN where a language has no
    score.

    Paired, unit u is the same in both languages, and the two exchange their losses unit by unit, at random: exact if
    the losses of a unit are exchangeable, asymptotically valid if the languages only lose the same on average.
    Unpaired, the units are dealt out to the languages anew, as many to each as it has, and the difference is divided by
    its standard error: exact if all losses have one distribution, asymptotically valid if only their means are equal
    (Janssen 1997; Chung & Romano 2013).

    Args:
        first: of all masks, `[M, U]`.
        second: of all masks, `[M, V]`; paired, U = V.
        signs: `[M]`, 1 to test whether the first language loses more, -1 whether the second does.
        paired: whether the units of the two languages are the same.
        resamples: number of randomisations; all masks share them.
        seed: entropy for numpy's generator.

    Raises:
        ValueError: paired, but with different numbers of units.
    """
    if paired and first.sums.shape != second.sums.shape:
        raise ValueError(f"paired losses of shapes {first.sums.shape} and {second.sums.shape}")
    randomised = _exchanged if paired else _dealt
    with np.errstate(invalid="ignore", divide="ignore"):
        observed, drawn = randomised(first, second, resamples, seed)
        threshold = signs * observed - EQUAL * np.abs(observed)
        # An undefined statistic counts as large: a language got only units without a score.
        as_large = sum((~(signs * each < threshold)).sum(axis=0) for each in drawn)
    return np.where(np.isnan(observed), np.nan, (1 + as_large) / (1 + resamples))


def smallest_p(first: int, second: int, *, paired: bool, resamples: int) -> float:
    """Return the smallest p that `more_lost` can reach, about: whatever is lost, it rejects at no smaller level.

    Args:
        first: units of the first language that have a score.
        second: of the second.
        paired: as in `more_lost`.
        resamples: number of randomisations.
    """
    arrangements = 2**first if paired else comb(first + second, first)
    return 1 / min(arrangements, 1 + resamples)


def _chunks(resamples: int, width: int) -> Iterator[int]:
    rows = max(1, min(resamples, AT_ONCE // max(width, 1)))
    for start in range(0, resamples, rows):
        yield min(rows, resamples - start)


def _exchanged(
    first: Losses, second: Losses, resamples: int, seed: Sequence[int]
) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    """Return the difference of the two losses `[M]`, and chunks `[b, M]` of it after random exchanges."""
    masks, units = first.sums.shape
    stacked = [np.concatenate([each.sums, each.sizes]).T for each in (first, second)]
    total = stacked[0].sum(axis=0) + stacked[1].sum(axis=0)
    generator = np.random.default_rng(list(seed))

    def difference(of_first: np.ndarray) -> np.ndarray:
        of_second = total - of_first
        ratios = [each[..., :masks] / each[..., masks:] for each in (of_first, of_second)]
        return _rounded(ratios[0] - ratios[1], np.abs(ratios[0]) + np.abs(ratios[1]))

    def drawn() -> Iterator[np.ndarray]:
        for rows in _chunks(resamples, units):
            kept = generator.integers(0, 2, (rows, units), dtype=np.int8).astype(np.float64)
            yield difference(stacked[1].sum(axis=0) + kept @ (stacked[0] - stacked[1]))

    return difference(stacked[0].sum(axis=0)), drawn()


def _dealt(
    first: Losses, second: Losses, resamples: int, seed: Sequence[int]
) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    """Return the studentised difference `[M]`, and chunks `[b, M]` of it with the units dealt out anew."""
    counts = first.sums.shape[1], second.sums.shape[1]
    sums, sizes = (
        np.concatenate([getattr(first, part), getattr(second, part)], axis=1) for part in Losses._fields
    )
    # Sums of these over a language's units give its loss and the loss's standard error (that of a ratio).
    terms = np.concatenate([sums, sizes, sums * sums, sums * sizes, sizes * sizes]).T
    total = terms.sum(axis=0)
    generator = np.random.default_rng(list(seed))

    def studentised(of_first: np.ndarray) -> np.ndarray:
        losses, variances, scales = zip(
            *(_ratio(each, count) for each, count in zip((of_first, total - of_first), counts, strict=True)),
            strict=True,
        )
        scale = np.sqrt(scales[0] + scales[1])
        difference = _rounded(losses[0] - losses[1], scale)
        error = _rounded(np.sqrt(np.maximum(variances[0] + variances[1], 0)), scale)
        # No spread at all: the largest statistic if there is a difference, 0 if there is none.
        return np.nan_to_num(difference / error, nan=0, posinf=LARGEST, neginf=-LARGEST) + 0 * difference

    def drawn() -> Iterator[np.ndarray]:
        members = np.arange(sum(counts)) < counts[0]
        for rows in _chunks(resamples, len(members)):
            dealt = generator.permuted(np.broadcast_to(members, (rows, len(members))), axis=1)
            yield studentised(dealt.astype(np.float64) @ terms)

    return studentised(terms[: counts[0]].sum(axis=0)), drawn()


def _ratio(terms: np.ndarray, units: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a ratio of sums, its variance over units (Cochran 1977, section 6.4), and the scale of rounding errors."""
    sums, sizes, squares, products, squared_sizes = np.split(terms, 5, axis=-1)
    ratio = sums / sizes
    around = squares - 2 * ratio * products + ratio**2 * squared_sizes
    return ratio, around * units / max(units - 1, 1) / sizes**2, squares / sizes**2


def _rounded(values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return the values, 0 where they are rounding errors of the scale."""
    return np.where(np.abs(values) <= EQUAL * scale, 0.0, values)
