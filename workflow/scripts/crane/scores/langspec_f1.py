"""LangSpec-F1 (Eqs. 3-5 of the paper)."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np


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


def f1_against_each(original: Mapping[str, Any], masked: Mapping[str, Any], target: str) -> np.ndarray:
    """Return LangSpec-F1 against each single other language, float64 `[L - 1, ...]`; the smallest one is LangSpec-F1.

    Args:
        original: as in `langspec_f1`.
        masked: as in `langspec_f1`.
        target: as in `langspec_f1`.
    """

    def of_pair(scores: Mapping[str, Any], other: str) -> dict[str, Any]:
        return {language: scores[language] for language in (target, other)}

    others = [language for language in original if language != target]
    return np.stack(
        [langspec_f1(of_pair(original, other), of_pair(masked, other), target).f1 for other in others]
    )
