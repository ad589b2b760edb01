"""The values of a JSON file: one per line, or those of an array."""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from crane.texts.decoding import TextError

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
_CUT = "not JSON (the file ends inside its array); it may have been cut"
_CHUNK = 1 << 16
"""Characters of an array that are read first to decode an element."""


def json_values(lines: Iterable[tuple[int, str]], path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the values of a JSON file and the number of the line in which each begins.

    A file whose text begins with `[` is an array; every other one has a value on each line that is not blank.

    Args:
        lines: their numbers and texts.
        path: for messages.

    Raises:
        TextError: a line, or an element of the array, is not JSON.
    """
    numbered = iter(lines)
    first = next(((number, line) for number, line in numbered if line.strip()), None)
    if first is None:
        return
    numbered = chain([first], numbered)
    if first[1].lstrip().startswith("["):
        yield from _elements(numbered, path)
        return
    for number, line in numbered:
        if line.strip():
            yield number, _value(line, f"{path}, line {number}")


def _value(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        hint = ""
        if error.msg == "Extra data" and line[error.pos :].strip() == ",":
            hint = "; remove the comma at its end"
        elif line.lstrip().startswith("<"):
            hint = "; it looks like a web page in place of the data"
        elif line.strip() == "{":
            hint = "; each object must be on one line, or the file one array of objects"
        raise TextError(f"{where}: not JSON ({error.msg}, column {error.colno}){hint}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or thousands of brackets
        raise TextError(f"{where}: not JSON that can be read ({error})") from error


def _elements(lines: Iterator[tuple[int, str]], path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the elements of an array one by one: memory holds one of them and the text read with it."""
    text = _Text(lines, path)
    text.take("[")
    if text.next() == "]":
        text.take("]")
    else:
        while True:
            yield text.element()
            if text.next() == "]":
                text.take("]")
                break
            text.take(",")
    if text.next():
        raise TextError(f"{path}, line {text.line}: text after the end of the array")


class _Text:
    """The text of an array, read in chunks and forgotten once it is decoded."""

    def __init__(self, lines: Iterator[tuple[int, str]], path: Path) -> None:
        self._lines = lines
        self._path = path
        self._text = ""
        self._at = 0
        self.line = 1
        """The line of the current place."""

    def next(self) -> str:
        """Return the next character that is no space, without taking it; "" at the end of the file."""
        while True:
            self._move(_SPACE.match(self._text, self._at).end())  # type: ignore[union-attr]
            if self._at < len(self._text) or not self._read(1):
                return self._text[self._at : self._at + 1]

    def take(self, character: str) -> None:
        """Take a character that must be next."""
        found = self.next()
        if not found:
            raise TextError(f"{self._path}: {_CUT}")
        if found != character:
            raise TextError(f"{self._path}, line {self.line}: not JSON ({found!r} instead of {character!r})")
        self._move(self._at + 1)

    def element(self) -> tuple[int, Any]:
        """Take the next element; return the line in which it begins, and its value."""
        self.next()
        line, size = self.line, _CHUNK
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                # Perhaps its end is not read yet; twice as much is tried next, so that a broken one costs little.
                if not self._read(size):
                    raise TextError(self._broken(error)) from error
                size *= 2
            else:
                self._move(end)
                return line, value

    def _broken(self, error: Exception) -> str:
        if not isinstance(error, json.JSONDecodeError):
            return f"{self._path}, line {self.line}: not JSON that can be read ({error})"
        if not self._text[error.pos :].strip():
            return f"{self._path}: {_CUT}"
        line = self.line + self._text.count("\n", self._at, error.pos)
        return f"{self._path}, line {line}: not JSON ({error.msg}, column {error.colno})"

    def _move(self, at: int) -> None:
        self.line += self._text.count("\n", self._at, at)
        self._at = at

    def _read(self, size: int) -> bool:
        """Read at least so many characters more; return whether there were any."""
        parts, count = [], 0
        for number, line in self._lines:
            if not self._text:
                self.line = number
            parts.append(line + "\n")
            count += len(line) + 1
            if count >= size:
                break
        self._text, self._at = self._text[self._at :] + "".join(parts), 0
        return bool(parts)
