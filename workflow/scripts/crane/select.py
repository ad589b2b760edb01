"""From statistics per neuron to the neurons of each language: CRANE's rules, LAPE, and random sets.

Arrays are `[L, K, I]`: languages, layers, neurons per layer. A neuron whose statistic is undefined (NaN) in any
language cannot be compared between languages and is never selected.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from scipy.stats import rankdata
from torch import Tensor

from crane.architectures import Site
from crane.errors import CraneError
from crane.neurons import NeuronSet

Normalise = Literal["layer", "global", "rank", "minmax", "none"]
Rule = Literal["contrast", "target_only", "margin"]


class SelectionError(CraneError, ValueError):
    """A rule selected no neuron for a language, or more were asked for than exist."""


# Normalisation ----------------------------------------------------------------------------------------


def _z_score(values: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    mean = np.nanmean(values, axis=axes, keepdims=True)
    std = np.nanstd(values, axis=axes, keepdims=True)
    # The mean of equal values may be off by one rounding; then the standard deviation is not exactly 0.
    differ = np.nanmax(values, axis=axes, keepdims=True) > np.nanmin(values, axis=axes, keepdims=True)
    return np.divide(values - mean, std, out=np.zeros_like(values), where=differ & (std > 0)) + 0 * values


def normalise(values: np.ndarray, how: Normalise) -> np.ndarray:
    """Return `values` `[L, K, I]` on a comparable scale; NaN stays NaN and counts for nothing.

    `layer`: z-score within each language and layer (the paper); `global`: z-score within each language over all
    layers (the authors' code); `rank`: rank / number of defined neurons within the layer, in (0, 1]; `minmax`:
    to [0, 1] within the layer; `none`.
    """
    values = np.asarray(values, np.float64)
    if how == "layer":
        return _z_score(values, (2,))
    if how == "global":
        return _z_score(values, (1, 2))
    if how == "rank":
        ranks = rankdata(values, axis=2, nan_policy="omit")
        return ranks / np.isfinite(values).sum(2, keepdims=True)
    if how == "minmax":
        low, high = np.nanmin(values, 2, keepdims=True), np.nanmax(values, 2, keepdims=True)
        return (values - low) / np.where(high > low, high - low, 1.0)
    if how == "none":
        return values
    raise ValueError(f"unknown normalisation {how!r}; known: layer, global, rank, minmax, none")


# Rules over relevance statistics ------------------------------------------------------------------------


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
            chosen[row] = _highest(np.where(chosen[row], order[row], -np.inf), budget)
    return NeuronSet.from_flags(chosen, languages, site, scores=margin)


def _highest(values: np.ndarray, count: int) -> np.ndarray:
    """Return bool of the shape of `values`: its `count` highest; ties go to the lower index."""
    flags = np.zeros(values.size, bool)
    flags[np.argsort(-values, axis=None, kind="stable")[:count]] = True
    return flags.reshape(values.shape)


# LAPE (Tang et al. 2024) --------------------------------------------------------------------------------


def _kth(values: np.ndarray, quantile: float) -> float:
    """Return the round(quantile * n)-th smallest value, the percentile as the published rule takes it."""
    flat = np.sort(values, axis=None)
    return float(flat[min(max(round(quantile * flat.size), 1), flat.size) - 1])


class _Lape:
    """Activation probabilities and their entropy over languages."""

    def __init__(self, active: Tensor, tokens: Tensor) -> None:
        counts = tokens.double().reshape(-1, 1, 1)
        self.probability = (active.double() / counts).numpy()  # [L, K, I]
        total = self.probability.sum(0, keepdims=True)
        share = np.divide(self.probability, total, out=np.zeros_like(self.probability), where=total > 0)
        entropy = -(share * np.log(np.where(share > 0, share, 1.0))).sum(0)  # [K, I]
        # A neuron that never fires prefers no language: the highest entropy, where 0/0 would count as the lowest.
        self.entropy = np.where(total[0] > 0, entropy, np.log(len(self.probability)))

    def ranked(self, filter: float) -> np.ndarray:
        """Entropy with infinity for neurons that no language activates often enough."""
        often = (self.probability > _kth(self.probability, filter)).any(0)
        return np.where(often, self.entropy, np.inf)


def lape(
    active: Tensor,
    tokens: Tensor,
    languages: Sequence[str],
    *,
    top: float = 0.01,
    filter: float = 0.95,
    bar: float = 0.95,
) -> NeuronSet:
    """Language Activation Probability Entropy, the published rule.

    p = active / tokens; entropy of p normalised over the languages; neurons where no language's p exceeds the
    `filter` quantile of all p are dropped; the share `top` of all neurons with the lowest entropy is kept; a kept
    neuron belongs to every language whose p exceeds the `bar` quantile of all p.

    Args:
        active: int64 `[L, K, I]`, tokens with a positive activation.
        tokens: int64 `[L]`.
        languages: names of the L languages.
        top: share of all neurons to keep.
        filter: quantile that at least one language must exceed.
        bar: quantile that a language must exceed to own the neuron.

    Raises:
        SelectionError: a language gets no neuron.
    """
    measure = _Lape(active, tokens)
    entropy = measure.ranked(filter)
    kept = _highest(-entropy, round(top * entropy.size)) & np.isfinite(entropy)
    flags = kept & (measure.probability > _kth(measure.probability, bar))
    for row, language in enumerate(languages):
        if not flags[row].any():
            highest = measure.probability[row].max()
            raise SelectionError(
                f"language {language!r}: LAPE selects no neuron (top {top}, filter {filter}, bar {bar}); its highest "
                f"activation probability is {highest:.4g}. Raise `top` or lower `filter` and `bar`."
            )
    scores = np.broadcast_to(-entropy, flags.shape)
    return NeuronSet.from_flags(flags, languages, scores=scores)


def lape_matched(
    active: Tensor,
    tokens: Tensor,
    languages: Sequence[str],
    counts: Mapping[str, int],
    *,
    filter: float = 0.95,
    bar: float = 0.95,
) -> tuple[NeuronSet, dict[str, int]]:
    """LAPE's ranking, cut to a given number of neurons per language.

    The published rule has no candidates beyond its quantiles, so a large budget is filled in this order: neurons
    that pass `filter` and whose p exceeds `bar` for the language; then those whose p is highest in the language;
    then the others; by ascending entropy within each.

    Returns:
        The set, and per language how many neurons lie beyond the published rule's quantiles.
    """
    measure = _Lape(active, tokens)
    published = np.isfinite(measure.ranked(filter)) & (measure.probability > _kth(measure.probability, bar))
    flags = np.zeros(published.shape, bool)
    beyond = {}
    for row, language in enumerate(languages):
        if counts[language] > measure.entropy.size:
            raise SelectionError(
                f"language {language!r}: {counts[language]} neurons asked for, {measure.entropy.size} exist"
            )
        own = measure.probability[row]
        foremost = (own > 0) & (own == measure.probability.max(0))
        tier = np.where(published[row], 0, np.where(foremost, 1, 2))
        order = np.lexsort((measure.entropy.ravel(), tier.ravel()))[: counts[language]]
        flags[row].reshape(-1)[order] = True
        beyond[language] = int((flags[row] & (tier > 0)).sum())
    scores = np.broadcast_to(-measure.entropy, flags.shape)
    return NeuronSet.from_flags(flags, languages, scores=scores), beyond


# Random -------------------------------------------------------------------------------------------------


def random_like(neurons: NeuronSet, width: int, seed: int) -> NeuronSet:
    """Draw a random set with the same number of neurons per language, layer and site.

    Args:
        neurons: the set to match.
        width: neurons per layer of the model.
        seed: of this draw; the languages are drawn independently of each other and of their order.
    """
    drawn: dict[str, dict[int, np.ndarray]] = {}
    for language, by_layer in neurons.items():
        generator = np.random.default_rng([seed, *language.encode()])
        drawn[language] = {}
        for layer, indices in sorted(by_layer.items()):
            if len(indices) > width:
                raise SelectionError(f"layer {layer}: {len(indices)} of {width} neurons cannot be drawn")
            choice = generator.choice(width, size=len(indices), replace=False)
            drawn[language][layer] = np.sort(choice).astype(np.int64)
    return NeuronSet(drawn, layers=neurons.layers, site=neurons.site)
