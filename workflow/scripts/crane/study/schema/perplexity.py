"""The perplexity of held-out texts."""

from collections.abc import Collection, Iterator

from pydantic import Field

from crane.study.schema.corpora import Corpora, GeneratedCorpora
from crane.study.schema.demo import Demo
from crane.study.schema.fields import NonEmptyUniqueList
from crane.study.schema.section import Problem, Section, unless_known


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
    perplexity: Perplexity, sets: Collection[str], corpora: Corpora, demo: Demo | None
) -> Iterator[Problem]:
    """Yield mask sets that do not exist, and more documents than the demo generates."""
    for name in perplexity.mask_sets:
        yield from unless_known("perplexity.mask_sets", name, sets, "mask set")
    if demo is not None and isinstance(corpora, GeneratedCorpora):
        needed, generated = corpora.documents + perplexity.documents, demo.data.identification
        if needed > generated:
            yield Problem(
                "perplexity.documents",
                f"{perplexity.documents} plus corpora.documents {corpora.documents} makes {needed}, but "
                f"demo.data.identification generates only {generated}",
            )
