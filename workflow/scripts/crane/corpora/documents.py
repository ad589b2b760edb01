"""Documents of a language, read from local files."""

import glob
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from crane.errors import CraneError

FORMATS = (".txt", ".jsonl", ".jsonl.gz", ".json.gz", ".parquet")


class CorpusError(CraneError, ValueError):
    """A corpus cannot be read or has too few documents."""


def read_documents(pattern: str, column: str = "text") -> Iterator[str]:
    """Yield the documents of all files that match a glob, in the order of their names.

    Text files hold one document per line; JSONL (also gzipped, as C4's .json.gz) and Parquet files one per record,
    in `column`.

    Raises:
        CorpusError: no file matches, an unknown format, a missing column, or a damaged record.
    """
    files = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - a pattern may be absolute
    if not files:
        raise CorpusError(f"no file matches {pattern!r}")
    for name in files:
        path = Path(name)
        try:
            if path.suffix == ".txt":
                with path.open(encoding="utf-8") as lines:
                    yield from lines
            elif path.suffix == ".jsonl":
                with path.open(encoding="utf-8") as lines:
                    yield from _read_jsonl(lines, path, column)
            elif path.name.endswith((".jsonl.gz", ".json.gz")):
                with gzip.open(path, "rt", encoding="utf-8") as lines:
                    yield from _read_jsonl(lines, path, column)
            elif path.suffix == ".parquet":
                yield from _read_parquet(path, column)
            else:
                raise CorpusError(f"{path}: unknown format; known: {', '.join(FORMATS)}")
        except UnicodeDecodeError as error:
            raise CorpusError(f"{path}: not UTF-8 text ({error})") from error
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise CorpusError(f"{path}: not a whole gzip file ({error})") from error
        except pa.ArrowInvalid as error:
            raise CorpusError(f"{path}: not a readable Parquet file ({error})") from error


def _read_jsonl(lines: IO[str], path: Path, column: str) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            text = json.loads(line)[column]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise CorpusError(f"{path}, line {number}: no JSON object with {column!r}") from error
        if not isinstance(text, str | None):
            raise CorpusError(f"{path}, line {number}: {column!r} is {type(text).__name__}, not text")
        yield text or ""


def _read_parquet(path: Path, column: str) -> Iterator[str]:
    file = pq.ParquetFile(path)
    if column not in file.schema_arrow.names:
        raise CorpusError(f"{path}: no column {column!r}; there are: {', '.join(file.schema_arrow.names)}")
    for batch in file.iter_batches(columns=[column], batch_size=1000):
        for text in batch.column(0).to_pylist():
            if not isinstance(text, str | None):
                raise CorpusError(f"{path}: column {column!r} holds {type(text).__name__}, not text")
            yield text or ""
