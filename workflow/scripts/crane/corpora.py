"""Documents of a language: read from local files, tokenised."""

import glob
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from crane.artefacts import ArtefactError
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


def tokenise(
    texts: Sequence[str], tokenizer: Any, max_tokens: int, count: int, language: str
) -> pd.DataFrame:
    """Return `count` samples: sample_id (int64), text_sha256, input_ids (list of int32, cut to `max_tokens`).

    A sample starts with BOS where the tokenizer has one, as every prompt does (`crane.models.load_tokenizer`);
    documents of fewer than two tokens have no next token to predict and are left out.

    Raises:
        CorpusError: fewer than `count` usable documents.
    """
    rows: list[dict[str, Any]] = []
    short = 0
    for text in texts:
        ids = tokenizer(text, truncation=True, max_length=max_tokens).input_ids
        if len(ids) < 2:
            short += 1
            continue
        rows.append({"text_sha256": hashlib.sha256(text.encode()).hexdigest(), "input_ids": ids})
        if len(rows) == count:
            break
    if len(rows) < count:
        raise CorpusError(
            f"corpus of {language!r}: {len(rows)} usable documents, {count} are configured "
            f"(corpora.documents), {short} left out as shorter than two tokens; add documents or ask for fewer"
        )
    frame = pd.DataFrame(rows)
    frame.insert(0, "sample_id", range(len(frame)))
    return frame


def shard_rows(total: int, shard: int, shards: int) -> range:
    """Return the rows of one of `shards` nearly equal, consecutive parts."""
    if not 0 <= shard < shards <= total:
        raise ArtefactError(f"{total} samples cannot be cut into {shards} shards (shard {shard} asked for)")
    return range(total * shard // shards, total * (shard + 1) // shards)
