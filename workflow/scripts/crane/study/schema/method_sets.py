"""Mask sets of the field's other methods, and the base of those that other packages add."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from crane.relevance.accumulated_columns import TOPS
from crane.study.schema.fields import Fraction, Given
from crane.study.schema.mask_sets import Budget, EntropyMaskSet, MaskSetSettings, OfRelevanceMaskSet
from crane.study.schema.section import Problem


class ScoredMaskSet(MaskSetSettings):
    """Settings of the methods whose scores compare the languages themselves."""

    has_published_set: ClassVar[bool] = False
    """Whether the method selects neurons without a budget."""

    budget: Given[Budget] = Field(
        default=None,
        description="So many neurons of highest score per language, in place of a published set.",
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a set without a number of neurons."""
        if self.budget is None and not self.has_published_set:
            yield Problem("budget", "missing; the method ranks all neurons and selects none by itself")


class AttributionMaskSet(OfRelevanceMaskSet):
    """First-order effect of ablating each neuron on the log-probability of the language's tokens."""

    method: Literal["attribution"] = Field(
        description="attribution: first-order effect of ablating each neuron on the mean log-probability."
    )
    effect: Literal["zero", "mean"] = Field(
        description="Of setting a neuron to zero, or to its mean value over the texts."
    )
    of: Given[Literal["pooled", "others"]] = Field(
        default=None,
        description="Whose mean value (effect: mean): of all languages (default: pooled) or of the others.",
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a mean of languages where no mean is taken."""
        yield from super().problems()
        if self.of is not None and self.effect == "zero":
            yield Problem("of", "has no meaning with effect: zero; remove it")

    def accumulators(self) -> frozenset[str]:
        """Return the gradients if neurons are set to a mean."""
        return frozenset({"gradients"} if self.effect == "mean" else ())


class PlndMaskSet(ScoredMaskSet):
    """Neurons that are important in every document of a language (PLND; arXiv 2402.18815)."""

    has_published_set: ClassVar[bool] = True

    method: Literal["plnd"] = Field(
        description="plnd: neurons important in every document of the language alone (arXiv 2402.18815)."
    )
    importance: Literal["output", "up_abs"] = Field(
        description="output: norm of what the MLP's output loses without the neuron (the paper); up_abs: sum of the "
        "absolute outputs of the up projection (the released code)."
    )
    top: Fraction = Field(
        description="Share of a layer's neurons that are important in a document: one of "
        f"{', '.join(f'{t:g}' for t in TOPS)}, or any with consistency: 1 and no budget."
    )
    consistency: Annotated[float, Field(gt=0, le=1)] = Field(
        description="Share of a language's documents in which its neurons are important; 1 as published."
    )
    remove: Literal["any", "all"] = Field(
        description="Neurons taken away: those of any other language, or (the released code) only those of all."
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a share of the layer that is not counted."""
        yield from super().problems()
        if self.top not in TOPS and (self.consistency < 1 or self.budget is not None):
            yield Problem(
                "top",
                f"{self.top:g} is not counted sample by sample; give one of {', '.join(f'{t:g}' for t in TOPS)}, or "
                "consistency: 1 without a budget",
            )

    def accumulators(self) -> frozenset[str]:
        """Return the ranks by the importance."""
        return frozenset({"energy" if self.importance == "output" else "up"})


class GradLapeMaskSet(EntropyMaskSet):
    """LAPE's rule on mean |relevance| per token (kinit-sk/language-neuron-detection)."""

    method: Literal["grad_lape"] = Field(
        description="grad_lape: LAPE's rule on the mean absolute relevance of tokens in place of probabilities."
    )
    top_rate: Fraction = Field(description="Share of all neurons to keep, those of lowest entropy.")
    relevance: Given[str] = Field(
        default=None, description="One of relevance_variants; without it, the study's own relevance."
    )
    budget: Given[Budget] = Field(
        default=None,
        description="So many neurons of best rank per language in place of the published rule's.",
    )

    def accumulators(self) -> frozenset[str]:
        """Return the sums of |relevance|."""
        return frozenset({"gradients"})


class AveragePrecisionMaskSet(ScoredMaskSet):
    """Neurons whose mean over a sample tells the language from the others (Kojima et al. 2024; arXiv 2404.02431)."""

    method: Literal["average_precision"] = Field(
        description="average_precision: neurons whose mean value over a sample tells the language from the others "
        "(arXiv 2404.02431; of MLP neurons alone)."
    )
    estimator: Literal["average_precision", "auroc"] = Field(
        description="average_precision, as published, or auroc, which does not depend on how many samples the other "
        "languages have."
    )
    side: Literal["top", "bottom", "both"] = Field(
        description="top: neurons that are high in the language; bottom: low; both: half of each (the paper)."
    )

    def accumulators(self) -> frozenset[str]:
        """Return the histogram of samples."""
        return frozenset({"sample_histogram"})


class OverlapMaskSet(ScoredMaskSet):
    """Neurons whose activations are distributed otherwise in the language than in all others."""

    has_published_set: ClassVar[bool] = True

    method: Literal["overlap"] = Field(
        description="overlap: neurons whose activated gate is distributed otherwise than in all other languages."
    )
    pair_rate: Given[Fraction] = Field(
        default=None,
        description="Without a budget: share of all overlaps of two languages, the lowest, that an overlap between the "
        "two sides of a neuron's languages must be among (0.01 in the released code).",
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a rate without use, or none where the published rule needs it."""
        if self.budget is None and self.pair_rate is None:
            yield Problem("pair_rate", "missing; the published rule needs it, a budget does not")
        if self.budget is not None and self.pair_rate is not None:
            yield Problem(
                "pair_rate", "has no meaning with a budget, which cuts the ranking; remove one of them"
            )

    def accumulators(self) -> frozenset[str]:
        """Return the histogram of tokens."""
        return frozenset({"token_histogram"})
