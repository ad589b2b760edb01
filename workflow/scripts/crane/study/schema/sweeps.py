"""Sweeps, which vary one setting of a mask set, and the perplexity of held-out texts."""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from crane.study.schema.any_mask_set import MaskSet, RankedMaskSet
from crane.study.schema.corpora import Corpora, GeneratedCorpora
from crane.study.schema.demo import Demo
from crane.study.schema.fields import Fraction, Given, NonEmptyUniqueList, UniqueList
from crane.study.schema.mask_sets import MatchedMaskSet, Normalisation, RelevanceMaskSet
from crane.study.schema.section import Problem, Section, unless_known
from crane.study.sweeps import RANKED, RELEVANCE


class _Sweep(Section):
    suite: str = Field(description="Suite of benchmarks to evaluate.")


class BudgetSweep(_Sweep):
    """All methods with the same numbers of neurons per language."""

    key: ClassVar[str] = "budget"

    mask_sets: NonEmptyUniqueList[str] = Field(description="Mask sets to vary.")
    fractions: NonEmptyUniqueList[Fraction] = Field(
        description="Budgets, as shares of all neurons per language."
    )
    seeds: int = Field(ge=1, description="Draws of a random mask set at each budget.")


class ThresholdSweep(_Sweep):
    """The threshold of one mask set; its own value is always included."""

    key: ClassVar[str] = "threshold"

    mask_set: str = Field(description="Mask set with a threshold.")
    thresholds: NonEmptyUniqueList[float] = Field(description="Values of the threshold.")


class AblationSweep(_Sweep):
    """Mask sets at one common budget, chosen by highest margin, with one setting replaced at a time."""

    key: ClassVar[str] = "ablation"

    mask_sets: NonEmptyUniqueList[str] = Field(description="Mask sets to vary.")
    fraction: Fraction = Field(description="The common budget, as a share of all neurons per language.")
    statistics: Given[
        UniqueList[Literal["kurtosis", "std", "mean", "mean_abs", "skewness", "fourth_root"]]
    ] = Field(default=None, description="Statistics of relevance that replace the set's own.")
    normalisations: Given[UniqueList[Normalisation]] = Field(
        default=None, description="Normalisations that replace the set's own."
    )
    rules: Given[UniqueList[Literal["margin", "target_only", "contrast"]]] = Field(
        default=None,
        description="Rules that replace highest margin; target_only: highest score in the language; contrast: as "
        "published, with the number of neurons that it selects (for z-scores only).",
    )
    relevance: Given[UniqueList[str]] = Field(
        default=None, description="Names of relevance_variants that replace the study's own relevance."
    )


class InterventionSweep(_Sweep):
    """What is done to the neurons of mask sets."""

    key: ClassVar[str] = "intervention"

    mask_sets: NonEmptyUniqueList[str] = Field(description="Mask sets to vary.")
    scales: UniqueList[Annotated[float, Field(ge=0)]] = Field(
        description="Factors of the neurons' outputs; 0 masks them."
    )
    mean: bool = Field(description="Also set the neurons to their mean value.")
    resample: Given[Annotated[int, Field(ge=1)]] = Field(
        default=None,
        description="Also set the neurons to their values in other documents, drawn with this seed.",
    )


Sweep = BudgetSweep | ThresholdSweep | AblationSweep | InterventionSweep


class Sweeps(Section):
    """Variations of one setting, all else kept."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    budget: Given[BudgetSweep] = Field(
        default=None, description="All methods with the same numbers of neurons per language."
    )
    threshold: Given[ThresholdSweep] = Field(
        default=None, description="The threshold of one mask set; its own value is always included."
    )
    ablation: Given[AblationSweep] = Field(
        default=None,
        description="Mask sets at one common budget, chosen by highest margin, with one setting replaced at a time.",
    )
    intervention: Given[InterventionSweep] = Field(
        default=None, description="What is done to the neurons of mask sets."
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a section without a sweep."""
        if not self.model_fields_set:
            yield Problem("", f"no sweep; give at least one of: {', '.join(type(self).model_fields)}")


class Perplexity(Section):
    """Perplexity of held-out texts of every language under every language's mask."""

    mask_sets: NonEmptyUniqueList[str] = Field(description="Mask sets to measure.")
    transfer: bool = Field(description="Also measure the transfer models.")
    documents: int = Field(
        ge=2,
        description="Documents per language: those that follow the relevance sample in the same random order.",
    )
    max_tokens: int = Field(ge=2, description="A document is cut to this number of tokens.")


def perplexity_problems(
    asked: Perplexity, sets: Collection[str], corpora: Corpora, demo: Demo | None
) -> Iterator[Problem]:
    """Yield mask sets that do not exist, and more documents than the demo generates."""
    for name in asked.mask_sets:
        yield from unless_known("perplexity.mask_sets", name, sets, "mask set")
    if demo is not None and isinstance(corpora, GeneratedCorpora):
        needed = corpora.documents + asked.documents
        generated = demo.data.identification
        if needed > generated:
            yield Problem(
                "perplexity.documents",
                f"{asked.documents} plus corpora.documents {corpora.documents} makes {needed}, but "
                f"demo.data.identification generates only {generated}",
            )


def sweep_problems(
    sweeps: Sweeps,
    *,
    sets: Mapping[str, MaskSet],
    suites: Collection[str],
    variants: Collection[str],
) -> Iterator[Problem]:
    """Yield names that sweeps use and the study lacks, and mask sets that a sweep cannot vary.

    Args:
        sweeps: the section.
        sets: the study's mask sets.
        suites: names of the suites.
        variants: names of the relevance variants.
    """
    for sweep in (sweeps.budget, sweeps.threshold, sweeps.ablation, sweeps.intervention):
        if sweep is None:
            continue
        yield from unless_known(f"sweeps.{sweep.key}.suite", sweep.suite, suites, "suite")
        if isinstance(sweep, ThresholdSweep):
            key, names = f"sweeps.{sweep.key}.mask_set", [sweep.mask_set]
        else:
            key, names = f"sweeps.{sweep.key}.mask_sets", sweep.mask_sets
        for name in names:
            yield from unless_known(key, name, sets, "mask set")
            if name in sets:
                yield from (Problem(key, text) for text in _objections(sweep, name, sets))
        if isinstance(sweep, AblationSweep):
            for name in sweep.relevance or ():
                yield from unless_known("sweeps.ablation.relevance", name, variants, "relevance variant")


def resample_problems(sets: Mapping[str, MaskSet], sweeps: Sweeps | None) -> Iterator[Problem]:
    """Yield the interventions that engine vllm does not have."""
    keys = [
        f"mask_sets.{name}.intervention.resample"
        for name, settings in sets.items()
        if settings.intervention is not None and settings.intervention.resample is not None
    ]
    if sweeps and sweeps.intervention and sweeps.intervention.resample is not None:
        keys.append("sweeps.intervention.resample")
    for key in keys:
        yield Problem(
            key,
            "engine vllm puts the tokens of many requests into one row, in which layers do not know their positions, "
            "so that neurons cannot get the values of their positions; set engine: hf, or remove it",
        )


def _objections(sweep: Sweep, name: str, sets: Mapping[str, MaskSet]) -> Iterator[str]:
    """Yield why a sweep cannot vary one of the mask sets."""
    varied = sets[name]
    if varied.intervention is not None and not isinstance(sweep, InterventionSweep):
        yield (
            f"{name!r} has an intervention, but this sweep masks neurons; name a set without an intervention, or use "
            "sweeps.intervention"
        )
    if isinstance(sweep, BudgetSweep):
        ranked = _ranked(name, sets)
        if ranked is not None and not isinstance(ranked, RankedMaskSet):
            origin = f" matched to {varied.match!r}," if isinstance(varied, MatchedMaskSet) else ""
            yield (
                f"{name!r} is{origin} of method {ranked.method!r}, which does not rank all neurons; possible: "
                f"{', '.join(RANKED)}, and sets matched to such a set"
            )
    if isinstance(sweep, AblationSweep) and not isinstance(varied, RelevanceMaskSet):
        yield f"{name!r} is of method {varied.method!r}; possible: {', '.join(RELEVANCE)}"
    if isinstance(sweep, ThresholdSweep) and getattr(varied, "threshold", None) is None:
        yield f"{name!r} has no threshold"


def _ranked(name: str, sets: Mapping[str, MaskSet]) -> MaskSet | None:
    """Return the mask set whose ranking a set is cut from: itself, or the one that it matches."""
    passed: set[str] = set()
    while isinstance(candidate := sets.get(name), MatchedMaskSet):
        if name in passed:
            return None  # sets that match each other in a circle; reported with the mask sets
        passed.add(name)
        name = candidate.match
    return candidate
