"""Texts that show nothing.

Standard library only: the Snakefile imports this module on every node, through the check of the configuration.
"""

import unicodedata

_INVISIBLE = ("Cf", "Cc")
"""Unicode categories of zero-width spaces, byte order marks, marks of direction, and control characters."""


def is_blank(text: str | None) -> bool:
    """Return whether a text is missing, empty, or has only white space and invisible characters."""
    return not text or all(
        character.isspace() or unicodedata.category(character) in _INVISIBLE for character in text
    )
