"""The bytes of a text file as lines of text: decompressed, UTF-8, and what is neither is named with its line."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, cast

import chardet
import zstandard

from crane.artefacts import is_lfs_pointer
from crane.errors import CraneError

_HEAD = 1 << 16
_CHUNK = 1 << 17
_LONGEST_WINDOW = 1 << 31
"""Bytes of zstd's window: `zstd --long=31`, as published dumps are compressed."""
_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_SURE = 0.5
"""Confidence from which a guessed encoding is named."""


class TextError(CraneError, ValueError):
    """A text file, or a record of it, cannot be read."""


def refuse_pointer(path: Path) -> None:
    """Refuse the file that Git leaves in place of one kept by Git LFS.

    Raises:
        TextError: it is such a pointer, or cannot be opened.
    """
    try:
        pointer = is_lfs_pointer(path)
    except OSError as error:
        raise TextError(f"{path}: cannot be opened ({error.strerror})") from error
    if pointer:
        raise TextError(f"{path}: only the pointer of a file in Git LFS; fetch the file with `git lfs pull`")


def raw_lines(path: Path, compression: str = "") -> Iterator[str]:
    r"""Yield the text between line feeds, with them; a byte order mark is left out.

    Args:
        path: the file.
        compression: "", "gzip" or "zstd".

    Raises:
        TextError: the file is a Git LFS pointer, not whole, or not UTF-8; the message names the line.
    """
    refuse_pointer(path)
    with _opened(path, compression) as file:
        head = file.peek(_HEAD)[:_HEAD]
        if encoding := _wide(head):
            raise TextError(f"{path}, line 1: {_not_utf8(encoding)}")
        for number, line in enumerate(file, 1):
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                encoding = _guess(line + b"".join(islice(file, 200)), from_start=number == 1)
                found = _not_utf8(encoding) if encoding else f"not UTF-8 text ({error.reason})"
                raise TextError(f"{path}, line {number}: {found}") from error


def lines(path: Path, compression: str = "") -> Iterator[tuple[int, str]]:
    r"""Yield the number, from 1, and the text of each line, which `\n`, `\r\n` or `\r` ends, without that end.

    Raises:
        TextError: as in `raw_lines`.
    """
    number = 0
    for raw in raw_lines(path, compression):
        line = raw.removesuffix("\n").removesuffix("\r")
        for part in line.split("\r") if "\r" in line else (line,):
            number += 1
            yield number, part


@contextmanager
def _opened(path: Path, compression: str) -> Iterator[io.BufferedReader]:
    """Open a file's decompressed bytes; what goes wrong while they are read names the file."""
    try:
        with path.open("rb") as file:
            if compression == "gzip":
                with gzip.open(file) as unpacked:
                    yield io.BufferedReader(cast(io.RawIOBase, unpacked), _CHUNK)  # which splits lines faster
            elif compression == "zstd":
                yield io.BufferedReader(_Chunks(_zstd_chunks(file)), _CHUNK)
            else:
                yield file
    except (gzip.BadGzipFile, zlib.error, zstandard.ZstdError, EOFError) as error:
        raise TextError(f"{path}: not a whole {compression} file ({error}); download it again") from error
    except OSError as error:
        raise TextError(f"{path}: cannot be read ({error.strerror or error})") from error


def _zstd_chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield decompressed bytes; zstandard's own reader takes the end of a cut file for that of the text."""
    frame = None
    while chunk := file.read(_CHUNK):
        while chunk:
            if frame is None:
                frame = zstandard.ZstdDecompressor(max_window_size=_LONGEST_WINDOW).decompressobj()
            yield frame.decompress(chunk)
            chunk = frame.unused_data if frame.eof else b""
            if frame.eof:
                frame = None
    if frame is not None:
        raise EOFError("it ends inside a frame")


class _Chunks(io.RawIOBase):
    """A stream of bytes that come in chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


def _wide(head: bytes) -> str:
    """Return the encoding of a text whose characters have two or four bytes each, "" for other texts."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    # Without a mark: every second byte of Latin text, and of the digits, spaces and ends of lines of any, is zero.
    zeros = max(head[0::2].count(0), head[1::2].count(0))
    return (chardet.detect(head)["encoding"] or "UTF-16").upper() if zeros * 8 > len(head) else ""


def _guess(sample: bytes, from_start: bool) -> str:
    """Return the encoding that a text most probably has, "" if none is probable."""
    found = chardet.detect(sample[:_HEAD])
    name = (found["encoding"] or "").upper()
    wide = name.startswith(("UTF-16", "UTF-32"))  # which can only be that of a whole file
    if found["confidence"] < _SURE or name.startswith(("UTF-8", "ASCII")) or (wide and not from_start):
        return ""
    return "GB18030" if name in ("GB2312", "GBK") else name


def _not_utf8(encoding: str) -> str:
    return f"not UTF-8 but probably {encoding}; convert the file: iconv -f {encoding} -t UTF-8 <file> > <new file>"
