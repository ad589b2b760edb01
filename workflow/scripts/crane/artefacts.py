"""Files that other stages read: written atomically, each with its provenance inside.

Every artefact is written to a temporary file in the same folder and then renamed, which is atomic within one file
system: an output that exists is complete.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from crane.errors import CraneError

METADATA_KEY = b"crane"
_LFS_MARK = b"version https://git-lfs.github.com/spec/v1"


class ArtefactError(CraneError, ValueError):
    """An artefact is missing, truncated, altered or not what its reader expects."""


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_lfs_pointer(path: str | Path) -> bool:
    """Return whether a file is a git-LFS pointer: a few lines of text that stand for a large file.

    The mark is the first line that the specification of git-LFS (version 1) prescribes.
    """
    with Path(path).open("rb") as file:
        return file.read(len(_LFS_MARK)) == _LFS_MARK


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path; on success rename it to `path`, on failure remove it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: str | Path) -> Iterator[Path]:
    """Yield a folder beside `folder`; on success rename it to `folder`, on failure remove it."""
    folder = Path(folder)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # left behind by a run that was killed
    partial.mkdir(parents=True)
    try:
        yield partial
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_table(frame: pd.DataFrame, path: str | Path, metadata: Mapping[str, Any]) -> None:
    """Write a tidy Parquet table; `metadata` is stored as JSON under the schema key `crane`."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata(
        {**(table.schema.metadata or {}), METADATA_KEY: json.dumps(dict(metadata), sort_keys=True).encode()}
    )
    with atomic_file(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def read_table(path: str | Path, columns: list[str] | None = None, filters: Any = None) -> pd.DataFrame:
    """Read a table written by `write_table`.

    Raises:
        ArtefactError: the file is not a complete Parquet file.
    """
    try:
        return pq.read_table(path, columns=columns, filters=filters).to_pandas()
    except (pa.ArrowInvalid, OSError) as error:
        raise ArtefactError(
            f"{path}: not a readable Parquet file ({error}); delete it and run again"
        ) from error


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Return the provenance that `write_table` stored, or an empty dict."""
    metadata = pq.read_schema(path).metadata or {}
    return json.loads(metadata.get(METADATA_KEY, b"{}"))


def write_text(text: str, path: str | Path) -> None:
    """Write UTF-8 text atomically."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(value: Any, path: str | Path) -> None:
    """Write readable JSON (UTF-8, keys in the order given)."""
    write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", path)


def read_json(path: str | Path) -> Any:
    """Read a file written by `write_json`."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_jsonl(records: Iterable[Mapping[str, Any]], path: str | Path) -> None:
    """Write one JSON object per line."""
    write_text("".join(json.dumps(dict(r), ensure_ascii=False) + "\n" for r in records), path)


def read_jsonl(path: str | Path) -> list[dict[str, Any]]:
    """Read a file written by `write_jsonl`.

    Raises:
        ArtefactError: a line is not a JSON object; the message names file and line.
    """
    records = []
    with Path(path).open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise ArtefactError(f"{path}, line {number}: not JSON ({error.msg})") from error
            if not isinstance(record, dict):
                raise ArtefactError(
                    f"{path}, line {number}: expected a JSON object, found {type(record).__name__}"
                )
            records.append(record)
    return records
