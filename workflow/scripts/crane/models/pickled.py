"""PyTorch's pickled files (.bin, .pth), read without running the code that a pickle can hold."""

import re
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import is_zipfile

import torch


class PickleError(ValueError):
    """A file is cut or damaged, or no PyTorch file; its caller says which file, and what to do."""


class OtherObjectsError(PickleError):
    """A file holds other Python objects than tensors, or is damaged so that it seems to.

    The message names the object, in parentheses, if PyTorch does.
    """


def load_plain_tensors(path: str | Path, device: str = "cpu") -> Any:
    """Return what a PyTorch file holds: tensors, and lists and dictionaries of them.

    Args:
        path: the file.
        device: of the tensors; `meta` reads their shapes and dtypes alone.

    Raises:
        OtherObjectsError: it holds others, which are never loaded because they can run code.
        PickleError: it cannot be read.
    """
    try:
        # The older form has no directory of its content and cannot be mapped: it is read from end to end.
        return torch.load(path, map_location=device, weights_only=True, mmap=is_zipfile(path))
    except UnpicklingError as error:
        # PyTorch's own message advises to load the file without this restriction, which would run its code.
        held = re.search(r"GLOBAL (\S+)", str(error))
        raise OtherObjectsError(f" (it holds {held[1]})" if held else "") from error
    except Exception as error:  # torch.load raises many kinds; each means the same to the user
        raise PickleError("not a PyTorch file") from error
