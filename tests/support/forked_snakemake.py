"""Snakemake in processes forked of one that has imported it: the import takes longer than most plans."""

import atexit
import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from support.forks import do_and_leave, server


def snakemake(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], python: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Return what `snakemake` with these arguments says.

    Args:
        arguments: of the command line.
        folder: in which it runs.
        environment: of the process.
        python: the interpreter that starts the scripts of jobs (`support.warm_python`); by default this one.
    """
    with tempfile.TemporaryDirectory() as temporary:
        out, err = (Path(temporary, name) for name in ("out", "err"))
        request = {
            "arguments": list(arguments), "folder": str(folder), "environment": dict(environment), "out": str(out),
            "err": str(err), "python": str(python or sys.executable),
        }  # fmt: skip
        process = _started()
        print(json.dumps(request), file=process.stdin, flush=True)
        status = int(process.stdout.readline())
        return subprocess.CompletedProcess(
            arguments, status, *(p.read_text(errors="replace") for p in (out, err))
        )


@cache
def _started() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        server("forked_snakemake"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(process.wait)
    atexit.register(process.terminate)
    return process


def serve() -> None:
    """Answer requests: a line of JSON is one, a line with an exit status is the answer."""
    import pydantic  # noqa: F401  # the models of a study
    import smart_open  # noqa: F401  # Snakemake imports it late
    from snakemake import cli

    gc.freeze()  # a collection in a fork copies no page of what was imported
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for number, name in [(1, "out"), (2, "err")]:
                os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT), number)
            os.chdir(request["folder"])
            os.environ.clear()
            os.environ.update(request["environment"])
            sys.argv = ["snakemake", *request["arguments"]]
            sys.executable = request["python"]
            sys.dont_write_bytecode = True
            do_and_leave(cli.main)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(status, flush=True)
