"""Calibration: measured effects of single neurons, which the criteria are held against."""

from collections.abc import Iterator

from pydantic import Field

from crane.study.schema.fields import Seed
from crane.study.schema.perplexity import Perplexity
from crane.study.schema.section import Problem, Section


class Calibration(Section):
    """Measured effects of random neurons and of random groups of them, on held-out texts (method, section 13)."""

    neurons: int = Field(ge=8, description="Random neurons, each zeroed alone; at least 512 for an answer.")
    groups: int = Field(ge=8, description="Random groups of neurons of one layer, each zeroed together.")
    group_size: int = Field(ge=2, description="Neurons of a group.")
    documents: int = Field(
        ge=4, description="Texts per language: the first of those that perplexity is measured on."
    )
    max_tokens: int = Field(ge=2, description="A text is cut to this number of tokens.")
    seed: Seed


def calibration_problems(
    asked: Calibration,
    perplexity: Perplexity | None,
    *,
    neurons: int | None,
    intermediate_size: int | None,
    site: str,
) -> Iterator[Problem]:
    """Yield texts and neurons that there are not.

    Args:
        asked: the section.
        perplexity: the section whose texts are used.
        neurons: number of neurons of the identification model, None if there is no such model.
        intermediate_size: neurons per layer, likewise.
        site: relevance.site; at `residual_write` a model's configuration states other numbers, which its job checks.
    """
    if perplexity is None:
        yield Problem(
            "calibration",
            "measures on the held-out texts of perplexity, so that none was used to select neurons; add that section",
        )
    else:
        for key in ("documents", "max_tokens"):
            wanted, there = getattr(asked, key), getattr(perplexity, key)
            if wanted > there:
                yield Problem(f"calibration.{key}", f"{wanted} exceeds perplexity.{key}, {there}")
    if site != "intermediate" or neurons is None or intermediate_size is None:
        return
    if asked.neurons > neurons:
        yield Problem("calibration.neurons", f"{asked.neurons} exceeds the model's {neurons} neurons")
    if asked.group_size > intermediate_size:
        yield Problem(
            "calibration.group_size", f"{asked.group_size} exceeds the {intermediate_size} neurons of a layer"
        )
