"""The base class of all sections of a study, and the problems that its keys can have with each other."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict


class Problem(NamedTuple):
    """A contradiction between keys that are each valid on their own."""

    key: str
    """Dotted path of the key to change, relative to the section that reports it; "" is the section itself."""
    text: str
    """What is wrong, and what to do."""


class Section(BaseModel):
    """One section of a study: it takes no unknown keys and converts no values (an integer may stand for a number)."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        frozen=True,
        hide_input_in_errors=True,
        defer_build=True,
    )

    def problems(self) -> Iterator[Problem]:
        """Yield the contradictions between keys of this section; sections that can have any override this."""
        yield from ()

    def all_problems(self) -> Iterator[Problem]:
        """Yield the contradictions of this section and of all sections inside it."""
        for field in type(self).model_fields:
            value = getattr(self, field)
            inner = value if isinstance(value, Mapping) else {"": value}
            for name, section in inner.items():
                if isinstance(section, Section):
                    path = f"{field}.{name}" if name else field
                    yield from under(path, section.all_problems())
        yield from self.problems()


def under(path: str, problems: Iterator[Problem]) -> Iterator[Problem]:
    """Yield problems with their keys moved below a path."""
    for key, text in problems:
        yield Problem(f"{path}.{key}" if key else path, text)


def unless_known(key: str, name: str, known: Collection[str], kind: str) -> Iterator[Problem]:
    """Yield a problem if a name refers to nothing in the study.

    Args:
        key: the key that gives the name.
        name: the name.
        known: the names that exist.
        kind: what the name should refer to, for the message.
    """
    if name not in known:
        yield Problem(key, f"{name!r} is not a {kind} of this study; there are: {', '.join(known) or 'none'}")
