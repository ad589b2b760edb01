"""Rows of CSV and TSV files."""

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from crane.texts.decoding import TextError, raw_lines


def table_rows(path: Path, compression: str, delimiter: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row by the names in the header, and the number of the line in which it begins.

    Quoted fields may hold delimiters and ends of lines; blank lines are left out.

    Args:
        path: the file.
        compression: "", "gzip" or "zstd".
        delimiter: between two fields.

    Raises:
        TextError: the file cannot be read, its header is no header, quotes are not balanced, or a row has another
            number of fields than the header.
    """
    csv.field_size_limit(sys.maxsize)  # a document may be longer than the 131,072 characters of the default
    reader = csv.reader(raw_lines(path, compression), delimiter=delimiter, strict=True)
    header: list[str] = []
    line = 1
    try:
        for row in reader:
            start, line = line, reader.line_num + 1
            if not row:
                continue
            if not header:
                header = row
                repeated = [name for name, count in Counter(row).items() if count > 1]
                if repeated:
                    raise TextError(f"{path}, line {start}: the header names {repeated[0]!r} twice")
                continue
            if len(row) != len(header):
                raise TextError(
                    f"{path}, line {start}: {_fields(len(row))}, but the header has {len(header)} "
                    f"({', '.join(header)}); put fields with {_NAMES[delimiter]} in quotes"
                )
            yield start, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise TextError(
            f"{path}, line {line}: not a row of fields ({error}); in a quoted field, write every quote twice"
        ) from error


_NAMES = {",": "commas", "\t": "tabs"}


def _fields(count: int) -> str:
    return f"{count} field{'s' * (count != 1)}"
