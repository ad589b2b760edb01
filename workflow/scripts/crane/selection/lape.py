"""Language Activation Probability Entropy (Tang et al. 2024), as published and cut to a given budget."""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from crane.neurons.neuron_set import NeuronSet
from crane.selection.ranking import SelectionError, highest_ranked


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
    kept = highest_ranked(-entropy, round(top * entropy.size)) & np.isfinite(entropy)
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
