"""The error of a model folder, and how other libraries' errors are repeated in it."""

from collections.abc import Iterable

from crane.errors import CraneError

LONGEST_REASON = 300
"""Characters of a library's message that are repeated in ours."""


class ModelError(CraneError, ValueError):
    """A model folder cannot be used."""


def reason(error: Exception) -> str:
    """Return what a library says about an error, in one line of at most `LONGEST_REASON` characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}..."


def some(names: Iterable[str], most: int = 5) -> str:
    """Return up to `most` names, and how many there are beyond them."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
