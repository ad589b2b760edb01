"""Language Activation Probability Entropy (Tang et al. 2024), as published and cut to a given budget."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from crane.models.architectures import Site
from crane.neurons.neuron_set import NeuronSet
from crane.selection.columns import activation_probability
from crane.selection.ranking import SelectionError, check_budget, highest_ranked, kth_smallest


class EntropyRule:
    """LAPE's rule on a measure of how active neurons are.

    Args:
        measure: float64 `[L, K, I]`, not negative: LAPE's activation probability, or another measure in its place.
        name: of the method, for messages.
        site: where the neurons are.
    """

    def __init__(self, measure: np.ndarray, name: str = "LAPE", site: Site = "intermediate") -> None:
        self.measure = measure
        self._name = name
        self._site = site
        total = measure.sum(0, keepdims=True)
        share = np.divide(measure, total, out=np.zeros_like(measure), where=total > 0)
        entropy = -(share * np.log(np.where(share > 0, share, 1.0))).sum(0)  # [K, I]
        # A neuron that never fires prefers no language and gets the highest entropy; 0/0 would count as the lowest.
        self.entropy = np.where(total[0] > 0, entropy, np.log(len(measure)))

    def ranked(self, filter_rate: float) -> np.ndarray:
        """Return the entropy, infinite for neurons that no language activates often enough."""
        often = (self.measure > kth_smallest(self.measure, filter_rate)).any(0)
        return np.where(often, self.entropy, np.inf)

    def published(
        self,
        languages: Sequence[str],
        *,
        top_rate: float = 0.01,
        filter_rate: float = 0.95,
        activation_bar_ratio: float = 0.95,
        may_be_empty: bool = False,
    ) -> NeuronSet:
        """Select by the published rule; arguments and errors as of `lape`."""
        entropy = self.ranked(filter_rate)
        kept = highest_ranked(-entropy, round(top_rate * entropy.size)) & np.isfinite(entropy)
        flags = kept & (self.measure > kth_smallest(self.measure, activation_bar_ratio))
        for row, language in enumerate(languages):
            if not flags[row].any() and not may_be_empty:
                highest = self.measure[row].max()
                of = "activation probability" if self._name == "LAPE" else "measure"
                raise SelectionError(
                    f"language {language!r}: {self._name} selects no neuron (top_rate {top_rate}, filter_rate "
                    f"{filter_rate}, activation_bar_ratio {activation_bar_ratio}); its highest {of} is {highest:.4g}. "
                    "Raise `top_rate` or lower `filter_rate` and `activation_bar_ratio`."
                )
        scores = np.broadcast_to(-entropy, flags.shape)
        return NeuronSet.from_flags(flags, languages, self._site, scores=scores)

    def matched(
        self,
        languages: Sequence[str],
        counts: Mapping[str, int],
        *,
        filter_rate: float = 0.95,
        activation_bar_ratio: float = 0.95,
    ) -> tuple[NeuronSet, dict[str, int]]:
        """Select a given number per language by the ranking; arguments and result as of `lape_matched`."""
        published = np.isfinite(self.ranked(filter_rate)) & (
            self.measure > kth_smallest(self.measure, activation_bar_ratio)
        )
        flags, scores = np.zeros(published.shape, bool), np.zeros(published.shape)
        beyond = {}
        for row, language in enumerate(languages):
            check_budget(counts[language], self.entropy.size, language)
            foremost = (self.measure[row] > 0) & (self.measure[row] == self.measure.max(0))
            tier = np.where(published[row], 0, np.where(foremost, 1, 2))
            order = np.lexsort((self.entropy.ravel(), tier.ravel()))[: counts[language]]
            flags[row].reshape(-1)[order] = True
            beyond[language] = int((flags[row] & (tier > 0)).sum())
            # No entropy reaches one more than its largest value, log L.
            scores[row] = -self.entropy - tier * (1 + np.log(len(languages)))
        return NeuronSet.from_flags(flags, languages, self._site, scores=scores), beyond


def _of_counts(active: Tensor, tokens: Tensor) -> EntropyRule:
    """Return the rule on activation probabilities: active / tokens."""
    return EntropyRule(activation_probability(active, tokens))


def quantiles(settings: Mapping[str, Any]) -> dict[str, float]:
    """Return the rates among a mask set's settings."""
    known = ("top_rate", "filter_rate", "activation_bar_ratio")
    return {key: settings[key] for key in known if key in settings}


def lape(
    active: Tensor,
    tokens: Tensor,
    languages: Sequence[str],
    *,
    top_rate: float = 0.01,
    filter_rate: float = 0.95,
    activation_bar_ratio: float = 0.95,
    may_be_empty: bool = False,
) -> NeuronSet:
    """Language Activation Probability Entropy, the published rule.

    p = active / tokens; entropy of p normalised over the languages; neurons where no language's p exceeds the
    `filter_rate` quantile of all p are dropped; the share `top_rate` of all neurons with the lowest entropy is kept; a
    kept neuron belongs to every language whose p exceeds the `activation_bar_ratio` quantile of all p. Names and
    defaults are those of LAPE's own code.

    Args:
        active: int64 `[L, K, I]`, tokens with a positive activation.
        tokens: int64 `[L]`, or with experts `[L, K, I]`, those routed to each neuron: p is then per routed token.
        languages: names of the L languages.
        top_rate: share of all neurons to keep.
        filter_rate: quantile that at least one language must exceed.
        activation_bar_ratio: quantile that a language must exceed to get the neuron.
        may_be_empty: a language may get no neuron, as is right for a null.

    Raises:
        SelectionError: a language gets no neuron; not raised if `may_be_empty`.
    """
    return _of_counts(active, tokens).published(
        languages,
        top_rate=top_rate,
        filter_rate=filter_rate,
        activation_bar_ratio=activation_bar_ratio,
        may_be_empty=may_be_empty,
    )


def lape_matched(
    active: Tensor,
    tokens: Tensor,
    languages: Sequence[str],
    counts: Mapping[str, int],
    *,
    filter_rate: float = 0.95,
    activation_bar_ratio: float = 0.95,
) -> tuple[NeuronSet, dict[str, int]]:
    """Select a given number of neurons per language by LAPE's ranking.

    The published rule has no candidates beyond its quantiles, so a large budget is filled in this order: neurons that
    pass `filter_rate` and whose p exceeds `activation_bar_ratio` for the language; neurons whose p is highest in the
    language; all others; each group by ascending entropy.

    Returns:
        The set, with scores that follow this order (the negative entropy, moved down for the later groups), and for
        each language the number of neurons beyond the published rule's quantiles.
    """
    return _of_counts(active, tokens).matched(
        languages, counts, filter_rate=filter_rate, activation_bar_ratio=activation_bar_ratio
    )
