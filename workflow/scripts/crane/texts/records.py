"""The records of text files in any format, each with its place in the file."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from crane.texts.decoding import TextError, lines, refuse_pointer
from crane.texts.files import kind_of_file
from crane.texts.json_text import json_values
from crane.texts.tables import table_rows

_ROWS = 1000
"""Rows of a Parquet file that are in memory together."""


class Record(NamedTuple):
    """One record of a file."""

    path: Path
    unit: str
    """What `number` counts: `line` or `row`."""
    number: int
    """From 1; the line in which the record begins."""
    fields: Mapping[str, Any]

    @property
    def where(self) -> str:
        """File and place, for messages."""
        return f"{self.path}, {self.unit} {self.number}"


def read_records(path: Path, field: str, columns: Sequence[str] | None = None) -> Iterator[Record]:
    """Yield the records of a file.

    Args:
        path: its ending tells the format (`crane.texts.endings`): JSON (one object per line, or an array of objects),
            CSV and TSV with a header, Parquet, or text with one record per line, blank ones included.
        field: name of the field that a line of text is.
        columns: of a Parquet file, the only ones that are needed; all by default.

    Raises:
        TextError: the file, or one of its records, cannot be read; the message names the place.
    """
    kind = kind_of_file(path)
    if kind.format == "parquet":
        yield from _parquet(path, columns)
        return
    if kind.format == "txt":
        for number, line in lines(path, kind.compression):
            yield Record(path, "line", number, {field: line})
        return
    found = (
        json_values(lines(path, kind.compression), path)
        if kind.format == "json"
        else table_rows(path, kind.compression, "\t" if kind.format == "tsv" else ",")
    )
    for number, value in found:
        if not isinstance(value, dict):
            raise TextError(f"{path}, line {number}: {type_name(value)} instead of an object with {field!r}")
        yield Record(path, "line", number, value)


def _parquet(path: Path, columns: Sequence[str] | None) -> Iterator[Record]:
    refuse_pointer(path)
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            for column in columns or ():
                if column not in names:
                    raise TextError(f"{path}: no column {column!r}; there are: {', '.join(names)}")
            for batch in file.iter_batches(columns=columns, batch_size=_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield Record(path, "row", number, row)
    except UnicodeDecodeError as error:
        raise TextError(f"{path}, after row {number}: not UTF-8 text ({error.reason})") from error
    except (pa.ArrowException, OSError) as error:
        after = f", damaged after row {number}" if number else ""
        raise TextError(f"{path}{after}: not a readable Parquet file ({error}); download it again") from error


def text_of(record: Record, name: str) -> str | None:
    """Return a field of a record that must be text; None if it is null.

    Raises:
        TextError: the record has no such field, it is no text, or it holds half of a surrogate pair.
    """
    if name not in record.fields:
        there = ", ".join(record.fields) or "none"
        raise TextError(f"{record.where}: no field {name!r}; there are: {there}")
    value = record.fields[name]
    if not isinstance(value, str | None):
        raise TextError(f"{record.where}: {name!r} is {type_name(value)}, not text")
    if value is not None:
        refuse_surrogates(value, name, record.where)
    return value


def refuse_surrogates(text: str, name: str, where: str) -> None:
    r"""Refuse text that cannot be written as UTF-8.

    Raises:
        TextError: it holds half of a surrogate pair, as a JSON escape (`\ud83d`) of a text that was cut can.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise TextError(
            f"{where}: {name!r} holds {half}, half of a surrogate pair and no character; remove it"
        ) from error


def type_name(value: Any) -> str:
    """Return the type of a value of a record in the words of JSON."""
    if isinstance(value, bool):
        return f"a boolean ({str(value).lower()})"
    if isinstance(value, int | float):
        return f"a number ({value!r})"
    names = {str: "text", list: "a list", dict: "an object", bytes: "bytes", type(None): "null"}
    return names.get(type(value), type(value).__name__)
