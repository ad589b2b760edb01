"""From statistics per neuron to the neurons of each language: CRANE's rules, LAPE, and random sets.

Arrays are `[L, K, I]`: languages, layers, neurons per layer. A neuron whose statistic is undefined (NaN) in any
language cannot be compared between languages and is never selected.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from crane.models.architectures import Site
from crane.neurons.neuron_set import NeuronSet
from crane.selection.ranking import SelectionError, highest_ranked

Rule = Literal["contrast", "target_only", "margin"]


def max_other(scores: np.ndarray) -> np.ndarray:
    """Return `[L, K, I]`: the highest score among the other languages; NaN if any of them is undefined."""
    if len(scores) < 2:
        raise ValueError("a contrast needs at least two languages")
    return np.stack([np.delete(scores, row, axis=0).max(0) for row in range(len(scores))])


def by_rule(
    scores: np.ndarray,
    languages: Sequence[str],
    *,
    rule: Rule,
    threshold: float | None = None,
    top: int | Mapping[str, int] | None = None,
    site: Site = "intermediate",
) -> NeuronSet:
    """Select neurons from normalised scores `[L, K, I]` (method, section 4).

    Args:
        scores: normalised scores, NaN where undefined.
        languages: names of the L languages.
        rule: `contrast`: score > threshold and every other language's score < threshold; `target_only`:
            score > threshold; `margin`: score - highest other score > threshold, or no condition without one.
        threshold: needed by `contrast` and `target_only`.
        top: keep only the neurons of highest margin, this many per language; of `target_only` without a threshold
            those of highest score.
        site: where the neurons are.

    Raises:
        SelectionError: a language gets no neuron, or fewer than `top`; names it and its highest score.
    """
    if threshold is None and (rule == "contrast" or (rule == "target_only" and top is None)):
        raise ValueError(f"rule {rule!r} needs a threshold")
    budgets = dict.fromkeys(languages, top) if not isinstance(top, Mapping) else dict(top)
    for budget in budgets.values():
        if budget is not None and budget < 1:
            raise SelectionError(
                f"a budget of {budget} of {scores[0].size} neurons is none; raise mask_sets.<name>.budget"
            )
    defined = np.isfinite(scores).all(0)
    other = max_other(scores)
    margin = scores - other
    if rule == "contrast":
        ranked, chosen = scores, (scores > threshold) & (other < threshold)
    elif rule == "target_only":
        ranked, chosen = scores, scores > (-np.inf if threshold is None else threshold)
    elif rule == "margin":
        ranked, chosen = margin, margin > (-np.inf if threshold is None else threshold)
    else:
        raise ValueError(f"unknown rule {rule!r}; known: contrast, target_only, margin")
    chosen = chosen & defined
    for row, language in enumerate(languages):
        found, budget = int(chosen[row].sum()), budgets[language]
        if found == 0 or (budget is not None and found < budget):
            highest = np.nanmax(np.where(defined, ranked[row], np.nan)) if defined.any() else np.nan
            wanted = f"{budget} were asked for" if budget is not None else "a mask cannot be empty"
            raise SelectionError(
                f"language {language!r}: rule {rule!r} with threshold {threshold} selects {found} neurons and "
                f"{wanted}; the highest score is {highest:.4g}. Lower the threshold or choose another rule."
            )
        if budget is not None:
            order = scores if rule == "target_only" and threshold is None else margin
            chosen[row] = highest_ranked(np.where(chosen[row], order[row], -np.inf), budget)
    return NeuronSet.from_flags(chosen, languages, site, scores=margin)
