"""What mask sets say that other mask sets or sections contradict."""

from collections.abc import Collection, Iterator, Mapping

from crane.study.schema.any_mask_set import MaskSet, RankedMaskSet
from crane.study.schema.interventions import intervention_problems
from crane.study.schema.mask_sets import (
    ActivationMaskSet,
    AllMaskSet,
    Budget,
    ImportMaskSet,
    LapeMaskSet,
    LapeMatchedMaskSet,
    MatchedMaskSet,
    RandomMaskSet,
    TernaryMaskSet,
)
from crane.study.schema.method_sets import AttributionMaskSet
from crane.study.schema.relevance import Relevance, RelevanceVariant
from crane.study.schema.section import Problem, unless_known


def mask_set_problems(
    sets: Mapping[str, MaskSet],
    *,
    relevance: Relevance,
    neurons: int | None,
    variants: Mapping[str, RelevanceVariant],
    languages: Collection[str],
    engine: str,
) -> Iterator[Problem]:
    """Yield what mask sets say that other mask sets or sections contradict.

    Args:
        sets: the mask sets.
        relevance: the study's own relevance.
        neurons: number of neurons of the identification model, None if there is no such model.
        variants: the relevance variants by name.
        languages: the study's languages.
        engine: of the evaluations.
    """
    for name, settings in sets.items():
        key = f"mask_sets.{name}"
        if relevance.site != "intermediate":
            yield from _site_problems(key, settings)
        variant = getattr(settings, "relevance", None)
        if variant is not None:
            yield from unless_known(f"{key}.relevance", variant, variants, "relevance variant")
        if isinstance(settings, AttributionMaskSet) and (variant is None or variant in variants):
            yield from _effect_problems(
                f"{key}.relevance", relevance, None if variant is None else variants[variant]
            )
        if settings.intervention is not None:
            # Imported neurons are at site intermediate, whatever the study's own are.
            site = "intermediate" if isinstance(settings, ImportMaskSet) else relevance.site
            how, where = settings.intervention, f"{key}.intervention"
            yield from intervention_problems(where, how, languages=languages, engine=engine, site=site)
        if isinstance(settings, RankedMaskSet):
            yield from _budget_problems(f"{key}.budget", settings.budget or Budget(), sets, neurons)
        if isinstance(settings, MatchedMaskSet):
            yield from _match_problems(f"{key}.match", settings, sets)
        if isinstance(settings, ImportMaskSet) and settings.file_name.endswith(".pth"):
            for language in languages:
                if language not in (settings.languages or ()):
                    yield Problem(f"{key}.languages", f"no entry for language {language!r}")


def _site_problems(key: str, settings: MaskSet) -> Iterator[Problem]:
    """Yield what is not possible if neurons are outputs of the down projection."""
    counting = isinstance(settings, LapeMaskSet | LapeMatchedMaskSet | TernaryMaskSet)
    if counting or (isinstance(settings, ActivationMaskSet) and settings.statistic == "probability"):
        yield Problem(
            f"{key}.method",
            f"{settings.method!r} counts activations, which exist at relevance.site intermediate only",
        )
    if settings.accumulators() - {"gradients"}:
        yield Problem(
            f"{key}.match_on" if isinstance(settings, RandomMaskSet) else f"{key}.method",
            "needs values of the MLP's inner neurons, which exist at relevance.site intermediate only",
        )
    how = settings.intervention
    if isinstance(settings, ImportMaskSet) and how and how.measured:
        yield Problem(
            f"{key}.intervention",
            "values are measured at relevance.site, but imported neurons are intermediate",
        )


def _effect_problems(key: str, own: Relevance, variant: RelevanceVariant | None) -> Iterator[Problem]:
    """Yield settings with which a relevance is no first-order effect on the log-probability."""
    needed = {"rules": "input_x_gradient", "objective": "next_token_logprob", "aggregate": "sum"}
    settings = {**own.model_dump(), **(variant.model_dump(exclude_unset=True) if variant else {})}
    wrong = [f"{name}: {settings[name]}" for name, value in needed.items() if settings[name] != value]
    if wrong:
        yield Problem(
            key,
            f"attribution needs a relevance run with {', '.join(f'{name}: {needed[name]}' for name in needed)}, not "
            f"{', '.join(wrong)}; name one of relevance_variants that sets them",
        )


def _budget_problems(
    key: str, budget: Budget, sets: Mapping[str, MaskSet], neurons: int | None
) -> Iterator[Problem]:
    if budget.match is not None:
        yield from unless_known(f"{key}.match", budget.match, sets, "mask set")
        other = sets.get(budget.match)
        ranked_by_match = isinstance(other, RankedMaskSet) and other.budget and other.budget.match is not None
        if isinstance(other, AllMaskSet):
            yield _nothing_left(f"{key}.match", budget.match)
        elif isinstance(other, MatchedMaskSet) or ranked_by_match:
            yield Problem(f"{key}.match", f"{budget.match!r} is itself matched to another set; name that one")
    if budget.count is not None and neurons is not None and budget.count > neurons:
        yield Problem(f"{key}.count", f"{budget.count} exceeds the model's {neurons} neurons")


def _match_problems(key: str, settings: MatchedMaskSet, sets: Mapping[str, MaskSet]) -> Iterator[Problem]:
    yield from unless_known(key, settings.match, sets, "mask set")
    other = sets.get(settings.match)
    # Random masks may match LAPE's ranking: its counts per language are borrowed, but those per layer are its own.
    both_lape = isinstance(other, LapeMatchedMaskSet) and isinstance(settings, LapeMatchedMaskSet)
    if isinstance(other, AllMaskSet):
        yield _nothing_left(key, settings.match)
    elif isinstance(other, RandomMaskSet) or both_lape:
        yield Problem(key, f"{settings.match!r} is itself matched to another set; name that one")


def _nothing_left(key: str, match: str) -> Problem:
    return Problem(key, f"{match!r} has all neurons: as many others do not exist; name another mask set")
