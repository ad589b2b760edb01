"""Which files a path or a glob means."""

import glob
from pathlib import Path

from crane.texts.decoding import TextError
from crane.texts.endings import READABLE, Kind, kind_of


def matching_files(pattern: str) -> list[Path]:
    """Return the files that a path or glob means, in the order of their names.

    A file that exists is meant literally, even if its path has characters of a pattern (`data [v2]/en.txt`). Folders
    that a glob matches are left out, unless they are named like a file.

    Raises:
        TextError: there is none, or a folder stands where files are meant.
    """
    literal = Path(pattern)
    if literal.is_file():
        return [literal]
    if literal.is_dir():
        raise TextError(f"{pattern}: a folder; name its files: {pattern.rstrip('/')}/*.jsonl")
    found = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 - may be absolute
    for path in found:
        if path.is_dir() and kind_of(path.name) is not None:
            raise TextError(f"{path}: a folder with the ending of a file; name its files: {path}/*")
    files = [path for path in found if not path.is_dir()]
    if not files:
        raise TextError(f"no file matches {pattern!r}")
    return files


def readable_files(pattern: str) -> list[Path]:
    """Return the files of `matching_files`; the ending of the last is checked before the first is read, for hours.

    Raises:
        TextError: as of `matching_files`, or an ending is unknown.
    """
    files = matching_files(pattern)
    for path in files:
        kind_of_file(path)
    return files


def single_file(name: str | Path) -> Path:
    """Return the path of one file.

    Raises:
        TextError: it does not exist, is a folder, or is a pattern.
    """
    path = Path(name)
    if path.is_file():
        return path
    if path.is_dir():
        raise TextError(f"{path}: a folder; name one file")
    if glob.has_magic(str(name)) and glob.glob(str(name)):  # noqa: PTH207 - may be absolute
        raise TextError(f"{path}: a pattern; name one file")
    raise TextError(f"{path}: no such file")


def kind_of_file(path: Path) -> Kind:
    """Return how a file is read.

    Raises:
        TextError: its ending is unknown.
    """
    kind = kind_of(path.name)
    if kind is None:
        raise TextError(f"{path}: cannot read files with this ending; it must be {READABLE}")
    return kind
