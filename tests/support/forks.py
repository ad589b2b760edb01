"""Processes that import libraries once, and do everything else in forks."""

import atexit
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from support.places import ROOT


def server(module: str, *arguments: str) -> list[str]:
    """Return the command of a process that calls `serve` of a module of `support`.

    Its path is that of Python alone: the folders of the tests hold nothing that Snakemake or a script should import.
    """
    call = f"serve({', '.join(map(repr, arguments))})"
    path = f"import sys; sys.path.append({str(ROOT / 'tests')!r})"
    return [sys.executable, "-P", "-c", f"{path}; from support.{module} import serve; sys.path.pop(); {call}"]


def do_and_leave(do: Callable[[], Any]) -> NoReturn:
    """Do something and end this process as Python would, but without taking down the libraries: that takes a second."""
    status = 0
    try:
        do()
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
