"""Endings of text files: which formats and compressions can be read.

Standard library only: the Snakefile imports this module on every node, through the check of the configuration.
"""

from pathlib import PurePath
from typing import NamedTuple

FORMATS = {
    ".txt": "txt",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
"""Ending -> format."""
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
"""Ending after that of the format -> compression; Parquet is compressed inside."""
READABLE = ".txt, .jsonl, .json, .csv or .tsv (each also with .gz or .zst behind it), or .parquet"
"""The endings, for messages."""
_PATTERN = frozenset("*?[]")


class Kind(NamedTuple):
    """How a file is read."""

    format: str
    compression: str = ""


def kind_of(name: str) -> Kind | None:
    """Return how a file is read by the endings of its name, in any case; None if it cannot be."""
    endings = [ending.lower() for ending in PurePath(name).suffixes]
    compression = COMPRESSIONS.get(endings[-1], "") if endings else ""
    if compression:
        endings.pop()
    known = FORMATS.get(endings[-1]) if endings else None
    if known is None or (known == "parquet" and compression):
        return None
    return Kind(known, compression)


def unreadable_ending(pattern: str) -> str | None:
    """Return the ending of a path or glob if no file with it can be read.

    None if files can be read, or if the pattern leaves the ending open (`data/*`, `part-*.gz`).
    """
    name = PurePath(pattern).name
    if kind_of(name) is not None:
        return None
    ending = PurePath(name).suffix
    before = name.removesuffix(ending)
    if (
        not ending
        or _PATTERN & set(ending)
        or (ending.lower() in COMPRESSIONS and _PATTERN & set(before[-1:]))
    ):
        return None
    return ending
