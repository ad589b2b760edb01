"""Which criterion knows what masking will do? Rank correlation of scores with measured effects (method, section 13).

The effects are measured on some documents, with noise of its own: two halves of the documents do not rank the neurons
alike, and no criterion can agree with a measurement better than the measurement with itself. So beside every
correlation stands the ceiling: the square root of the reliability (Spearman 1910, Brown 1910: 2 r / (1 + r) from the
correlation r of the halves). The correlation divided by the ceiling is what a measurement without noise would give
(Spearman 1904), here of ranks.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from crane.names import HALVES
from crane.scores.bootstrap import interval, resampling_weights

MEASURES = ("change", "specific", "specific_mean")
"""The change of the language's loss; that minus the largest change of another language; that minus the others' mean."""


class _Effects(NamedTuple):
    """The measured effects of one kind of ablations."""

    layers: np.ndarray
    """int64 `[U]`."""
    neurons: Sequence[np.ndarray]
    """Indices of each."""
    changes: Mapping[str, np.ndarray]
    """`all`, `even`, `odd` -> float64 `[L, U]`."""


def calibrate(
    effects: pd.DataFrame,
    criteria: Mapping[str, np.ndarray],
    languages: Sequence[str],
    *,
    resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the rank correlation of every criterion with the measured effects, with bootstrap intervals over them.

    The score of a group is the sum of its neurons' scores (those that are defined).

    Args:
        effects: of `crane.evaluation.ablation_effects.effect_table`.
        criteria: name -> scores `[L, K, I]`, NaN where undefined.
        languages: names of the L languages.
        resamples: bootstrap samples, of ablations within their layers; the same for all correlations.
        seed: of them.

    Returns:
        One row per kind, measure (`MEASURES`), criterion and language: units (ablations with a score), spearman, low,
        high; half_correlation (Spearman, of the halves of the documents), reliability, ceiling; of_ceiling (spearman /
        ceiling), of_ceiling_low, of_ceiling_high. Reliability, ceiling and what follows from it are missing if the
        halves do not correlate positively.
    """
    rows = []
    for kind, of_kind in effects.groupby("kind", sort=False):
        measured = _by_language(of_kind, languages)
        units = len(measured.layers)
        scores = {name: _of_units(values, measured) for name, values in criteria.items()}
        weights = resampling_weights(measured.layers.tolist(), range(units), resamples, (seed, units))
        point = _correlations(np.ones((1, units)), measured, scores, languages)
        drawn = [_correlations(chunk.astype(np.float64), measured, scores, languages) for chunk in weights]
        for (measure, name, language), values in point.items():
            if name is None:
                continue
            low, high = interval(np.concatenate([one[measure, name, language] for one in drawn]))
            halves = point[measure, None, language]
            ceiling = ceiling_of(halves)
            relative = np.concatenate(
                [one[measure, name, language] / ceiling_of(one[measure, None, language]) for one in drawn]
            )
            of_low, of_high = interval(relative) if np.isfinite(ceiling[0]) else (np.nan, np.nan)
            rows.append(
                {
                    "kind": kind, "measure": measure, "criterion": name, "language": language,
                    "units": int(np.isfinite(scores[name][languages.index(language)]).sum()),
                    "spearman": values[0], "low": float(low), "high": float(high),
                    "half_correlation": halves[0], "reliability": ceiling[0] ** 2, "ceiling": ceiling[0],
                    "of_ceiling": values[0] / ceiling[0], "of_ceiling_low": float(of_low),
                    "of_ceiling_high": float(of_high),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def ceiling_of(halves: np.ndarray) -> np.ndarray:
    """Return sqrt(2 r / (1 + r)) of correlations r between halves; NaN where r is not above 0."""
    positive = np.where(halves > 0, halves, np.nan)
    return np.sqrt(2 * positive / (1 + positive))


def measures(changes: np.ndarray) -> dict[str, np.ndarray]:
    """Return `MEASURES` of changes `[L, U]`, each `[L, U]`."""
    others = [np.delete(changes, row, axis=0) for row in range(len(changes))]
    return {
        "change": changes,
        "specific": changes - np.stack([other.max(0) for other in others]),
        "specific_mean": changes - np.stack([other.mean(0) for other in others]),
    }


def _by_language(effects: pd.DataFrame, languages: Sequence[str]) -> _Effects:
    columns = {"all": "change", **{half: f"change_{half}" for half in HALVES}}
    wide = {name: effects.pivot(index="language", columns="unit", values=of) for name, of in columns.items()}
    units = effects.drop_duplicates("unit").sort_values("unit")
    return _Effects(
        units["layer"].to_numpy(),
        [np.asarray(index) for index in units["neurons"]],
        {name: table.loc[list(languages)].to_numpy() for name, table in wide.items()},
    )


def _of_units(scores: np.ndarray, measured: _Effects) -> np.ndarray:
    """Return `[L, U]`: the sum of the defined scores of each ablation's neurons; NaN if none is defined."""
    sums = np.empty((len(scores), len(measured.layers)))
    for unit, (layer, index) in enumerate(zip(measured.layers, measured.neurons, strict=True)):
        own = scores[:, layer, index]
        sums[:, unit] = np.where(np.isfinite(own).any(1), np.nansum(own, 1), np.nan)
    return sums


Key = tuple[str, str | None, str]
"""Measure, criterion (None: the other half of the documents), language."""


def _correlations(
    weights: np.ndarray, measured: _Effects, scores: Mapping[str, np.ndarray], languages: Sequence[str]
) -> dict[Key, np.ndarray]:
    """Return the correlations in each of B resamples, `[B]`; `weights` `[B, U]` say how often each unit is drawn."""
    return dict(_each_correlation(weights, measured, scores, languages))


def _each_correlation(
    weights: np.ndarray, measured: _Effects, scores: Mapping[str, np.ndarray], languages: Sequence[str]
) -> Iterator[tuple[Key, np.ndarray]]:
    of = {name: measures(changes) for name, changes in measured.changes.items()}
    for row, language in enumerate(languages):
        ranked = {measure: midranks(of["all"][measure][row], weights) for measure in MEASURES}
        for measure in MEASURES:
            even, odd = (midranks(of[half][measure][row], weights) for half in HALVES)
            yield (measure, None, language), weighted_correlation(even, odd, weights)
        for name, values in scores.items():
            defined = np.isfinite(values[row])
            some = weights[:, defined]
            if not defined.any():
                yield from (
                    ((measure, name, language), np.full(len(weights), np.nan)) for measure in MEASURES
                )
                continue
            own = midranks(values[row, defined], some)
            for measure in MEASURES:
                other = ranked[measure] if defined.all() else midranks(of["all"][measure][row, defined], some)
                yield (measure, name, language), weighted_correlation(own, other, some)


def midranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return `[B, n]`: the ranks of n values in samples that hold value i `weights[b, i]` times, less one half.

    Equal values have the mean of their ranks.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    totals = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks = totals.cumsum(1) - totals / 2
    place = np.empty(len(values), np.int64)
    place[order] = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(values)]))
    return ranks[:, place]


def weighted_correlation(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation `[B]` of `[B, n]` and `[B, n]` with weights; NaN where one of them is constant."""
    total = weights.sum(1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        a = one - (weights * one).sum(1, keepdims=True) / total
        b = other - (weights * other).sum(1, keepdims=True) / total
        product, first, second = ((weights * c).sum(1) for c in (a * b, a * a, b * b))
        return np.where((first > 0) & (second > 0), product / np.sqrt(first * second), np.nan)
