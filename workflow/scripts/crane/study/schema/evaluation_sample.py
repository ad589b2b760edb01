"""The part of the questions on which many random mask sets are measured."""

from typing import Annotated

from pydantic import Field

from crane.study.schema.fields import Given, NonEmptyUniqueList, Seed
from crane.study.schema.section import Section


class EvaluationSample(Section):
    """Random mask sets that are measured on a part of the questions alone, and the size of that part."""

    mask_sets: NonEmptyUniqueList[str] = Field(
        description="Mask sets of method random that are measured on this part alone; they are in no other table."
    )
    questions: dict[str, Annotated[int, Field(ge=1)]] = Field(
        min_length=1,
        description="Suite -> questions of each of its benchmarks; perplexity -> held-out documents per language. "
        "Suites that are not named are not asked.",
    )
    seed: Seed
    sets_per_job: Given[int] = Field(
        default=None,
        ge=1,
        description="Mask sets of these that one job evaluates with one engine (default 50); affects speed only.",
    )
