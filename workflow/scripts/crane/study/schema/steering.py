"""Steering: the neurons of one language deactivated, those of another activated, pair by pair."""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated

from pydantic import Field

from crane.study.interventions import canonical, changes_gates
from crane.study.schema.any_mask_set import MaskSet
from crane.study.schema.fields import Given, NonEmptyUniqueList
from crane.study.schema.interventions import (
    RELATIVE,
    Activation,
    Deactivation,
    EditSite,
    gate_problems,
    median_problems,
)
from crane.study.schema.mask_sets import AllMaskSet
from crane.study.schema.perplexity import Perplexity
from crane.study.schema.section import Problem, Section, unless_known

Pair = Annotated[list[str], Field(min_length=2, max_length=2)]


class Steering(Section):
    """Answers of the identification model when asked in one language and steered to another."""

    mask_sets: NonEmptyUniqueList[str] = Field(
        description="Mask sets whose neurons are steered, with all seeds of a random one."
    )
    pairs: Given[NonEmptyUniqueList[Pair]] = Field(
        default=None,
        description="Pairs [language asked in, target language]; without them, all pairs of the study's languages.",
    )
    site: Given[EditSite] = None
    deactivate: Deactivation = Field(
        description="What is done first, to the neurons of the language asked in."
    )
    activate: Activation = Field(description="What is done then, to the neurons of the target language.")
    documents: Given[Annotated[int, Field(ge=1)]] = Field(
        default=None,
        description="Texts per language whose perplexity is measured under steering: the first of those of "
        "perplexity; without it, none.",
    )


def steering_problems(
    asked: Steering | None,
    *,
    sets: Mapping[str, MaskSet],
    languages: Collection[str],
    open_questions: bool,
    perplexity: Perplexity | None,
    engine: str,
    site: str,
) -> Iterator[Problem]:
    """Yield what the section needs and the study lacks.

    Args:
        asked: the section; nothing is yielded without it.
        sets: the study's mask sets.
        languages: the study's languages.
        open_questions: whether it has open questions.
        perplexity: its section.
        engine: of the evaluations.
        site: relevance.site.
    """
    if asked is None:
        return
    if not open_questions:
        yield Problem("steering", "asks the open questions; add open_questions and judges, or remove it")
    for name in asked.mask_sets:
        yield from unless_known("steering.mask_sets", name, sets, "mask set")
        if name in sets and (isinstance(sets[name], AllMaskSet) or sets[name].intervention is not None):
            why = (
                "has all neurons" if isinstance(sets[name], AllMaskSet) else "has an intervention of its own"
            )
            yield Problem("steering.mask_sets", f"{name!r} {why}; name a set of neurons that are masked")
    for pair in asked.pairs or ():
        for code in pair:
            yield from unless_known("steering.pairs", code, languages, "language")
        if pair[0] == pair[1]:
            yield Problem("steering.pairs", f"{pair[0]!r} is both; a pair has two languages")
    of = asked.activate.of
    if of is not None and of not in (*RELATIVE["of"], *languages):
        known = ", ".join([*RELATIVE["of"], *languages])
        yield Problem("steering.activate.of", f"{of!r} is not a language of this study; there are: {known}")
    settings = canonical({"steer": asked.model_dump(exclude_unset=True)})
    yield from median_problems("steering.activate", settings, site)
    if changes_gates(settings):
        yield from gate_problems("steering.site", engine, site)
    if asked.documents is not None and perplexity is None:
        yield Problem("steering.documents", "are those of perplexity; add that section, or remove it")
    elif asked.documents is not None and perplexity and asked.documents > perplexity.documents:
        yield Problem(
            "steering.documents", f"{asked.documents} exceeds perplexity.documents, {perplexity.documents}"
        )
