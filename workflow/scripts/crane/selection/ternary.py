"""Language-specific, language-related and general neurons by entropy and frequency (arXiv 2505.21505).

The published score and rule, read in the authors' released code (NJUNLP/Language-Neurons-Alignment, commit f3d4d76).
They count the activations of the response alone; here every token of a sample counts, as for LAPE.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from torch import Tensor

from crane.neurons.neuron_set import NeuronSet
from crane.selection.columns import activation_probability
from crane.selection.ranking import SelectionError, check_budget, highest_ranked, kth_smallest

Kind = Literal["specific", "related", "general", "any"]
LARGEST_WEIGHT = 0.2
"""Upper end of the search for the weight."""
RESOLUTION = 1e-3
"""Width of the interval at which the search ends."""
SMALLEST_SHARE = 1e-12


class Ternary:
    """Activation probabilities and what the score is made of.

    Args:
        active: int64 `[L, K, I]`, tokens with a positive activation.
        tokens: int64 `[L]`, or with experts `[L, K, I]`, those routed to each neuron.
        top_rate: share of all neurons to keep, those of lowest score.
        activation_bar_ratio: quantile of all probabilities that a language must exceed to own a neuron.
    """

    def __init__(
        self, active: Tensor, tokens: Tensor, *, top_rate: float, activation_bar_ratio: float
    ) -> None:
        self.probability = activation_probability(active, tokens)
        languages = len(self.probability)
        total = self.probability.sum(0)
        share = np.divide(
            self.probability, total, out=np.full_like(self.probability, 1 / languages), where=total > 0
        )
        share = np.maximum(share, SMALLEST_SHARE)
        share /= share.sum(0)
        self._entropy = -(share * np.log(share)).sum(0) / np.log(languages)
        harmonic = (1 / np.arange(1, languages + 1)).sum() / languages
        self._frequency = self.probability.max(0) / harmonic
        self._kept = round(top_rate * self._entropy.size)
        self.owned = self.probability > kth_smallest(self.probability, activation_bar_ratio)

    def score(self, weight: float) -> np.ndarray:
        """Return `[K, I]`: H / ln L - weight * max p / (H_L / L), with the L-th harmonic number H_L; low is chosen."""
        return self._entropy - weight * self._frequency

    def kept(self, weight: float) -> np.ndarray:
        """Return bool `[K, I]`: the neurons of lowest score, whoever owns them."""
        return highest_ranked(-self.score(weight), self._kept)

    def has_general(self, weight: float) -> bool:
        """Say whether a kept neuron is owned by all languages."""
        return bool((self.kept(weight) & self.owned.all(0)).any())

    def largest_weight(self) -> float:
        """Return the largest weight, up to `LARGEST_WEIGHT`, with which no kept neuron is owned by all languages.

        Found by bisection, as published, which takes for granted that a larger weight keeps more of them.

        Raises:
            SelectionError: some are kept even with the weight 0.
        """
        if self.has_general(0):
            raise SelectionError(
                "ternary: even with the weight 0, neurons that are active in all languages are among the kept ones; "
                "give `weight` as a number, or lower `top_rate`"
            )
        if not self.has_general(LARGEST_WEIGHT):
            return LARGEST_WEIGHT
        low, high = 0.0, LARGEST_WEIGHT
        while high - low > RESOLUTION:
            middle = (low + high) / 2
            low, high = (low, middle) if self.has_general(middle) else (middle, high)
        return low


def ternary(
    active: Tensor,
    tokens: Tensor,
    languages: Sequence[str],
    *,
    top_rate: float,
    activation_bar_ratio: float,
    kind: Kind,
    weight: float | None = None,
    counts: Mapping[str, int] | None = None,
    may_be_empty: bool = False,
) -> tuple[NeuronSet, dict[str, Any]]:
    """Select neurons by the published rule, or a given number of them by its ranking.

    The rule keeps the share `top_rate` of all neurons, those of lowest score; a kept neuron belongs to every language
    that owns it. With `counts`, each language gets that many: the neurons of the kind that it owns first, then those
    that are most active in it, then all others, each group by ascending score.

    Args:
        active: int64 `[L, K, I]`, tokens with a positive activation.
        tokens: int64 `[L]`, or with experts `[L, K, I]`, those routed to each neuron.
        languages: names of the L languages.
        top_rate: see `Ternary`.
        activation_bar_ratio: see `Ternary`.
        kind: `specific`: owned by this language alone; `related`: by several but not all; `general`: by all; `any`.
        weight: of frequency against entropy (the paper's lambda); default: `Ternary.largest_weight`.
        counts: neurons per language; without it, the published rule.
        may_be_empty: a language may get no neuron, and the weight is 0 where there is none, as is right for a null.

    Returns:
        The set, with scores that follow its order (the negative score, moved down for the later groups), and
        facts by language: `weight`, and `owned_by_none`, the kept neurons that no language owns.

    Raises:
        SelectionError: a language gets no neuron, more are asked for than exist, or there is no weight.
    """
    measure = Ternary(active, tokens, top_rate=top_rate, activation_bar_ratio=activation_bar_ratio)
    if weight is None:
        used = 0.0 if may_be_empty and measure.has_general(0) else measure.largest_weight()
    else:
        used = weight
    score, kept, owners = measure.score(used), measure.kept(used), measure.owned.sum(0)
    of_kind = {
        "specific": owners == 1, "related": (owners > 1) & (owners < len(languages)),
        "general": owners == len(languages), "any": owners > 0,
    }[kind]  # fmt: skip
    facts = {
        "weight": dict.fromkeys(languages, used),
        "owned_by_none": dict.fromkeys(languages, int((kept & (owners == 0)).sum())),
    }
    flags = kept & of_kind & measure.owned
    scores = np.tile(-score, (len(languages), 1, 1))
    for row, language in enumerate(languages):
        if counts is not None:
            check_budget(counts[language], score.size, language)
            foremost = (measure.probability[row] > 0) & (
                measure.probability[row] == measure.probability.max(0)
            )
            tier = np.where(measure.owned[row] & of_kind, 0, np.where(foremost, 1, 2))
            order = np.lexsort((score.ravel(), tier.ravel()))[: counts[language]]
            flags[row] = False
            flags[row].reshape(-1)[order] = True
            scores[row] -= tier * (1 + np.ptp(score))
        elif not flags[row].any() and not may_be_empty:
            raise SelectionError(
                f"language {language!r}: ternary selects no neuron of kind {kind!r} (top_rate {top_rate}, "
                f"activation_bar_ratio {activation_bar_ratio}, weight {used:g}). Raise `top_rate`, lower "
                "`activation_bar_ratio`, or choose another kind."
            )
    return NeuronSet.from_flags(flags, languages, scores=scores), facts
