"""PyTorch's pickled files (.bin, .pth), read without running the code that a pickle can hold."""

import re
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import is_zipfile

import torch


class PickleError(ValueError):
    """A file is not one of plain tensors; the message says why, and its caller names the file and what to do."""


def load_plain_tensors(path: str | Path, device: str = "cpu") -> Any:
    """Return what a PyTorch file holds: tensors, and lists and dictionaries of them.

    Args:
        path: the file.
        device: of the tensors; `meta` reads their shapes and dtypes alone.

    Raises:
        PickleError: it is cut or damaged, no PyTorch file, or holds other Python objects.
    """
    try:
        # The older form has no directory of its content and cannot be mapped: it is read from end to end.
        return torch.load(path, map_location=device, weights_only=True, mmap=is_zipfile(path))
    except UnpicklingError as error:
        # PyTorch's message advises to load the file with weights_only=False, which would run its code.
        held = re.search(r"GLOBAL (\S+)", str(error))
        holds = f" (it holds {held[1]})" if held else ""
        raise PickleError(
            f"not a PyTorch file of plain tensors{holds}: damaged, or it holds other Python objects than tensors, "
            "which are never loaded because they can run code"
        ) from error
    except Exception as error:  # torch.load raises many kinds; each means the same to the user
        raise PickleError(
            f"cut or damaged, {Path(path).stat().st_size:,} bytes, or not a PyTorch file of plain tensors"
        ) from error
