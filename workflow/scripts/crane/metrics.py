"""LangSpec-F1 (Eqs. 3-5 of the paper) and the resampling that gives it an interval."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class LangSpecF1(NamedTuple):
    """How selectively a mask hurts its target language; each a float, or an array where scores were arrays."""

    f1: Any
    precision: Any
    recall: Any


def langspec_f1(
    original: Mapping[str, Any],
    masked: Mapping[str, Any],
    target: str,
    *,
    eps: float = 1e-8,
    other: Literal["max", "mean"] = "max",
    beta: float = 1.0,
) -> LangSpecF1:
    """Return LangSpec-F1 of a mask (paper, section 3.5).

    With d = max(original - masked, 0) per language: precision = d_target / (d_target + max of the other d + eps),
    recall = d_target / (original_target + eps), F1 = 2PR / (P + R + eps).

    Args:
        original: language -> score without a mask; numbers, or arrays of one shape (resamples).
        masked: language -> score with the mask; the same languages.
        target: the language whose neurons are masked.
        eps: numerical guard of the paper.
        other: `max` of the other languages' drops (the paper) or their `mean`.
        beta: weight of recall against precision; 1 is the paper's.

    Raises:
        ValueError: the languages differ, the target is missing, there is no other language, or a score is NaN.
    """
    if set(original) != set(masked):
        raise ValueError(f"scores for different languages: {sorted(original)} and {sorted(masked)}")
    if target not in original:
        raise ValueError(f"no score for the target language {target!r}; there are: {', '.join(original)}")
    if len(original) < 2:
        raise ValueError("LangSpec-F1 compares a language with others: at least two are needed")
    if other not in ("max", "mean"):
        raise ValueError(f"unknown `other` {other!r}; known: max, mean")
    before = {language: np.asarray(score, float) for language, score in original.items()}
    after = {language: np.asarray(score, float) for language, score in masked.items()}
    for language in before:
        if np.isnan(before[language]).any() or np.isnan(after[language]).any():
            raise ValueError(f"a score of {language!r} is NaN")
    drops = {language: np.maximum(before[language] - after[language], 0.0) for language in before}
    others = np.stack([drop for language, drop in drops.items() if language != target])
    interference = others.max(0) if other == "max" else others.mean(0)
    precision = drops[target] / (drops[target] + interference + eps)
    recall = drops[target] / (before[target] + eps)
    f1 = (1 + beta**2) * precision * recall / (beta**2 * precision + recall + eps)
    results = (f1, precision, recall)
    return LangSpecF1(*(value if value.ndim else float(value) for value in results))


CONFIDENCE = 0.95
"""Of every interval; tables and captions say it."""

# Bootstrap ----------------------------------------------------------------------------------------------


SMALLEST_STRATUM = 5
"""Clusters below which a stratum says nothing about its own variance."""


def _pooled(strata: list[np.ndarray]) -> list[np.ndarray]:
    """Join the strata that are too small; what is still too small then joins the smallest other one."""
    ordered = sorted(strata, key=len)
    pooled = [np.concatenate(small)] if (small := [s for s in ordered if len(s) < SMALLEST_STRATUM]) else []
    large = ordered[len(small) :]
    if pooled and large and len(pooled[0]) < SMALLEST_STRATUM:
        return [np.concatenate([pooled[0], large[0]]), *large[1:]]
    return pooled + large


def resampling_weights(
    strata: Sequence[Any], clusters: Sequence[Any], resamples: int, seed: Sequence[int], chunk: int = 500
) -> Iterator[np.ndarray]:
    """Yield float32 `[b, n]` chunks of item weights of a bootstrap, `resamples` rows in all.

    Clusters (passages; an item of its own where clusters are unique) are drawn with replacement within each
    stratum (subject), as many as it has. Strata of fewer than `SMALLEST_STRATUM` clusters are pooled: a stratum of
    one would be in every resample as it is, and a single changed answer would look certain.

    Args:
        strata: stratum of each of the n items.
        clusters: cluster of each item; clusters are told apart within a stratum only.
        resamples: number of bootstrap samples B.
        seed: entropy for numpy's generator.
        chunk: rows per chunk; bounds the memory.
    """
    stratum = np.unique(np.asarray(strata, dtype=str), return_inverse=True)[1]
    keys = [f"{s}\x1f{c}" for s, c in zip(stratum, clusters, strict=True)]
    names, cluster = np.unique(keys, return_inverse=True)
    stratum_of_cluster = np.empty(len(names), int)
    stratum_of_cluster[cluster] = stratum
    members = _pooled([np.flatnonzero(stratum_of_cluster == s) for s in np.unique(stratum)])
    generator = np.random.default_rng(list(seed))
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = np.zeros((rows, len(names)), np.float32)
        for group in members:
            drawn[:, group] = generator.multinomial(
                len(group), np.full(len(group), 1 / len(group)), size=rows
            )
        yield drawn[:, cluster]


def bootstrap_means(
    values: ArrayLike,
    strata: Sequence[Any],
    clusters: Sequence[Any],
    *,
    resamples: int = 10_000,
    seed: Sequence[int] = (0,),
) -> np.ndarray:
    """Return float64 `[B, C]`: the mean of each condition in each resample; the same resample for all.

    Args:
        values: `[C, n]`, one row per condition, one column per item; NaN is missing and left out of the mean.
        strata: as in `resampling_weights`.
        clusters: as in `resampling_weights`.
        resamples: number of bootstrap samples B.
        seed: entropy for numpy's generator.
    """
    table = np.asarray(values, np.float32)
    present = np.isfinite(table).astype(np.float32)
    filled = np.where(present > 0, table, 0).astype(np.float32)
    means = []
    for weights in resampling_weights(strata, clusters, resamples, seed):
        total = weights @ present.T
        sums = weights @ filled.T
        means.append(np.divide(sums, total, out=np.full_like(sums, np.nan), where=total > 0))
    return np.concatenate(means).astype(np.float64)


def interval(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentile interval over the first axis, NaN samples left out; NaN where there are no others."""
    tail = (1 - CONFIDENCE) / 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        low, high = np.nanquantile(samples, [tail, 1 - tail], axis=0)
    return low, high
