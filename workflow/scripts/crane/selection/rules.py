"""From statistics per neuron to the neurons of each language: CRANE's rules, LAPE, and random sets.

Arrays are `[L, K, I]`: languages, layers, neurons per layer. A neuron whose statistic is undefined (NaN) in any
language cannot be compared between languages and is never selected.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from crane.models.architectures import Site
from crane.neurons.neuron_set import NeuronSet
from crane.selection.ranking import SelectionError, check_budget, highest_ranked

Rule = Literal["contrast", "target_only", "margin"]
FLOOR = 1e-4
"""Share of a language's mean below which a statistic is as good as nothing."""


def max_other(scores: np.ndarray) -> np.ndarray:
    """Return `[L, K, I]`: the highest score among the other languages; NaN if any of them is undefined."""
    if len(scores) < 2:
        raise ValueError("a contrast needs at least two languages")
    return np.stack([np.delete(scores, row, axis=0).max(0) for row in range(len(scores))])


def log_ratio(values: np.ndarray) -> np.ndarray:
    """Return a scale-aware statistic `[L, K, I]` as logarithm of its ratio to the language's mean over all neurons.

    A language whose relevances are larger everywhere has larger statistics everywhere; the division takes that out, and
    the difference of two languages' scores is the log of a ratio (method, section 11). Values below `FLOOR` of the mean
    count as that; a neuron below it in every language has no ratio worth naming and becomes NaN.

    Args:
        values: not negative; NaN where undefined.
    """
    mean = np.nanmean(values, axis=(1, 2), keepdims=True)
    ratio = np.divide(values, mean, out=np.full_like(values, np.nan), where=mean > 0)
    dead = (ratio < FLOOR).all(0)
    with np.errstate(invalid="ignore"):
        scores = np.log(np.maximum(ratio, FLOOR))
    return np.where(dead, np.nan, scores)


def by_rule(
    scores: np.ndarray,
    languages: Sequence[str],
    *,
    rule: Rule,
    threshold: float | None = None,
    top: int | Mapping[str, int] | None = None,
    fill: bool = False,
    may_be_empty: bool = False,
    contrasted: bool = False,
    site: Site = "intermediate",
) -> NeuronSet:
    """Select neurons from normalised scores `[L, K, I]` (method, sections 4 and 11).

    Args:
        scores: normalised scores, NaN where undefined.
        languages: names of the L languages.
        rule: `contrast`: score > threshold and every other language's score < threshold; `target_only`:
            score > threshold; `margin`: score - highest other score > threshold, 0 without one.
        threshold: needed by `contrast` and `target_only`.
        top: keep only the neurons of highest margin, at most this many per language; of `target_only` without a
            threshold those of highest score.
        fill: fill a budget of `margin` with neurons of negative margin, which are not specific to the language, and
            refuse one that cannot be filled.
        may_be_empty: a language may get no neuron, or fewer than `top` under `fill`, as is right for a null.
        contrasted: a score compares its language with the others already, and is the margin.
        site: where the neurons are.

    Raises:
        SelectionError: a language gets no neuron, or fewer than `top` under `fill`; names it and its highest score.
            Not raised if `may_be_empty`.
    """
    if threshold is None and (rule == "contrast" or (rule == "target_only" and top is None)):
        raise ValueError(f"rule {rule!r} needs a threshold")
    budgets = dict.fromkeys(languages, top) if not isinstance(top, Mapping) else dict(top)
    for language, budget in budgets.items():
        if budget is not None:
            check_budget(budget, scores[0].size, language)
    defined = np.isfinite(scores).all(0)
    other = max_other(scores)
    margin = scores if contrasted else scores - other
    if rule == "contrast":
        ranked, chosen = scores, (scores > threshold) & (other < threshold)
    elif rule == "target_only":
        ranked, chosen = scores, scores > (-np.inf if threshold is None else threshold)
    elif rule == "margin":
        smallest = threshold if threshold is not None else -np.inf if fill else 0.0
        ranked, chosen = margin, margin > smallest
    else:
        raise ValueError(f"unknown rule {rule!r}; known: contrast, target_only, margin")
    chosen = chosen & defined
    order = scores if rule == "target_only" and threshold is None else margin
    for row, language in enumerate(languages):
        candidates, budget = int(chosen[row].sum()), budgets[language]
        short = candidates == 0 or (fill and budget is not None and candidates < budget)
        if short and not may_be_empty:
            highest = np.nanmax(np.where(defined, ranked[row], np.nan)) if defined.any() else np.nan
            wanted = f"{budget} were asked for" if budget is not None else "a mask cannot be empty"
            raise SelectionError(
                f"language {language!r}: rule {rule!r} with threshold {threshold} selects {candidates} neurons and "
                f"{wanted}; the highest score is {highest:.4g}. Lower the threshold or choose another rule."
            )
        if budget is not None:
            chosen[row] = highest_ranked(np.where(chosen[row], order[row], -np.inf), min(budget, candidates))
    return NeuronSet.from_flags(chosen, languages, site, scores=order)
