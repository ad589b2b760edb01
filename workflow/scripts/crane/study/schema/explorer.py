"""The explorer page: which neurons it shows, and how much of each."""

from collections.abc import Iterator, Mapping

from pydantic import Field

from crane.study.schema.any_mask_set import MaskSet
from crane.study.schema.fields import Given, NonEmptyUniqueList
from crane.study.schema.section import Problem, Section, unless_known


class Explorer(Section):
    """The explorer page; every key is optional."""

    samples: Given[int] = Field(
        default=None,
        ge=1,
        le=20,
        description="Samples of largest |relevance| that are kept per language and neuron (default 3); 8 bytes each.",
    )
    neurons: Given[int] = Field(
        default=None,
        ge=1,
        description="Neurons of each mask set and language that the page shows in full, by rank (default 50).",
    )
    tokens: Given[int] = Field(
        default=None,
        ge=2,
        description="Tokens of a sample that the page shows, around the one of largest |relevance| (default 64).",
    )
    mask_sets: Given[NonEmptyUniqueList[str]] = Field(
        default=None,
        description="Mask sets on the page (default: all that are neither random nor of all neurons); of a random one "
        "the first seed.",
    )


def explorer_problems(explorer: Explorer | None, sets: Mapping[str, MaskSet]) -> Iterator[Problem]:
    """Yield mask sets that do not exist or that select nothing."""
    if explorer is None:
        return
    for name in explorer.mask_sets or []:
        yield from unless_known("explorer.mask_sets", name, sets, "mask set")
        if name in sets and sets[name].method == "all":
            yield Problem(
                "explorer.mask_sets", f"{name!r} masks all neurons, which are no selection; remove it"
            )
    if all(one.method == "all" for one in sets.values()):
        yield Problem("explorer", "no mask set selects neurons, so there is nothing to show; remove it")
