"""The comparison of methods: which mask sets are one method at several budgets, and on what they are compared."""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated

from pydantic import Field

from crane.names import PERPLEXITY
from crane.study.schema.any_mask_set import MaskSet
from crane.study.schema.fields import Label, NonEmptyUniqueList
from crane.study.schema.section import Problem, Section, unless_known


class Comparison(Section):
    """All methods on one table and figure."""

    suite: str = Field(description="Suite whose questions are compared; open; or perplexity.")
    methods: Annotated[dict[Label, NonEmptyUniqueList[str]], Field(min_length=1)] = Field(
        description="Name of a method in the table -> its mask sets, from the smallest budget to the largest."
    )


def comparison_problems(
    comparison: Comparison,
    sets: Mapping[str, MaskSet],
    *,
    parts: Collection[str],
    perplexity_sets: Collection[str],
    sampled: Collection[str],
) -> Iterator[Problem]:
    """Yield results and mask sets that there are not.

    Args:
        comparison: the section.
        sets: the mask sets of the study.
        parts: the suites, `open` and `perplexity`, as far as the study has them.
        perplexity_sets: the mask sets under which perplexity is measured.
        sampled: the mask sets that are measured on a part of the questions alone.
    """
    yield from unless_known("comparison.suite", comparison.suite, parts, "suite")
    for name in dict.fromkeys(name for names in comparison.methods.values() for name in names):
        yield from unless_known("comparison.methods", name, sets, "mask set")
        if name in sampled:
            yield Problem(
                "comparison.methods", f"{name!r} is measured on a part of the questions alone; remove it"
            )
        elif name in sets and comparison.suite == PERPLEXITY and name not in perplexity_sets:
            yield Problem("comparison.methods", f"{name!r} is not in perplexity.mask_sets; add it there")
