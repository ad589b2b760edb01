"""A store of finished parts of long jobs, each under the hash of everything that determines it.

It is a cache: deleting it costs time, never a result. Several jobs may use it at the same time: a part is one file,
named after its key and the hash of its content, written under a temporary name and then renamed.
"""

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from crane.artefacts import ArtefactError, read_table, sha256, write_table

STALE = 24 * 3600
"""Seconds after which a partial file is assumed to belong to a job that was killed."""


def part_key(deciding: Mapping[str, Any]) -> str:
    """Return the SHA-256 (64 hexadecimal digits) of everything that determines a part.

    Args:
        deciding: JSON values; the order of keys does not matter.
    """
    text = json.dumps(deciding, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class PartStore:
    """Parts as files `<folder>/<2 digits>/<key>-<hash of the content>.<ending>`.

    Args:
        folder: created when the first part is written.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        for partial in self._folder.glob("*/.*.partial"):
            if time.time() - partial.stat().st_mtime > STALE:
                partial.unlink(missing_ok=True)

    def find(self, key: str) -> Path | None:
        """Return the file of a complete part; truncated or altered files are deleted."""
        for path in sorted((self._folder / key[:2]).glob(f"{key}-*")):
            if path.stem.removeprefix(f"{key}-") == sha256(path):
                return path
            print(f"{path}: truncated or altered; computing it again", flush=True)
            path.unlink(missing_ok=True)
        return None

    def keep(self, key: str, ending: str, write: Callable[[Path], None]) -> Path:
        """Keep a part and return its file.

        Args:
            key: from `part_key`.
            ending: file extension, such as `.parquet`.
            write: writes the part to a path.
        """
        folder = self._folder / key[:2]
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{key}-{platform.node()}-{os.getpid()}.partial"
        try:
            write(partial)
            path = folder / f"{key}-{sha256(partial)}{ending}"
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return path

    def __contains__(self, key: str) -> bool:
        """Whether there is a complete part under a key."""
        return self.find(key) is not None

    def read(self, key: str) -> pd.DataFrame:
        """Return a table.

        Raises:
            ArtefactError: it is missing or incomplete.
        """
        path = self.find(key)
        if path is None:
            raise ArtefactError(
                f"{self._folder}: part {key[:12]} is missing; run the same command again to compute it"
            )
        return read_table(path)

    def write(self, key: str, table: pd.DataFrame, deciding: Mapping[str, Any]) -> None:
        """Keep a table; `deciding` is stored in its metadata for readers."""
        self.keep(key, ".parquet", lambda path: write_table(table, path, deciding))
