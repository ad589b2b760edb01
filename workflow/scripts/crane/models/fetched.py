"""Files of a model folder that were not fetched: git-LFS pointers."""

from collections.abc import Iterable
from pathlib import Path

from crane.artefacts import is_lfs_pointer
from crane.models.errors import ModelError, some


def check_fetched(folder: Path, files: Iterable[Path]) -> None:
    """Check that no file is a git-LFS pointer, which a clone without LFS leaves in place of a large file.

    Raises:
        ModelError: names up to five pointers.
    """
    pointers = [path.name for path in files if path.is_file() and is_lfs_pointer(path)]
    if pointers:
        raise ModelError(
            f"{folder}: git-LFS pointers instead of files: {some(pointers)}; run `git lfs pull` in the clone, or "
            "download the files again"
        )
