"""An interpreter whose scripts run in forks of a process that has imported the libraries: most jobs do little else.

It takes the place of Python in the tests' runs of Snakemake: what a script does is the same, also its module `crane` is
imported anew. Jobs that begin with a Python of their own run in the tests on SLURM, which run a whole study, with and
without a cluster, in those of downloads and in those that kill jobs.
"""

import ast
import atexit
import gc
import importlib
import os
import runpy
import select
import shlex
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from support.forks import do_and_leave, server

LIBRARIES = (
    "datasets", "datasketch", "fontTools.subset", "lm_eval.tasks", "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf", "matplotlib.figure", "numpy", "openai", "pandas", "pyarrow.parquet", "pydantic",
    "sacrebleu", "safetensors.torch", "scipy.stats", "sklearn.metrics", "snakemake.script", "torch",
    "transformers.generation.utils", "transformers.modeling_utils", "transformers.models.auto.modeling_auto",
    "transformers.models.llama.modeling_llama",
)  # fmt: skip
# What the Snakefile, and Snakemake for one thread, set before a job imports a library.
ENVIRONMENT = {
    "HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1", "PYTHONUTF8": "1",
}  # fmt: skip

# Of the standard library alone and without `site`: it starts in some milliseconds.
CLIENT = """
import os, socket, sys
address, python, *arguments = sys.argv[1:]
if len(arguments) != 1 or not arguments[0].endswith(".py"):
    os.execv(python, [python, *arguments])
with socket.socket(socket.AF_UNIX) as server:
    server.connect(address)
    socket.send_fds(server, [b"."], [0, 1, 2])
    server.sendall(repr((arguments[0], os.getcwd(), dict(os.environ))).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(16) or 1))
"""


@cache
def warm_python() -> Path:
    """Return the path of the interpreter; the process behind it ends with this one."""
    folder = tempfile.TemporaryDirectory(prefix="warm-python-")
    atexit.register(folder.cleanup)
    address, client, python = (Path(folder.name, name) for name in ("socket", "client.py", "python"))
    client.write_text(CLIENT, encoding="utf-8")
    command = shlex.join([sys.executable, "-IS", str(client), str(address), sys.executable])
    python.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    process = subprocess.Popen(
        server("warm_python", str(address)), env={**os.environ, **ENVIRONMENT}, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    atexit.register(process.wait)
    atexit.register(process.terminate)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return python


def serve(address: str) -> None:
    """Answer requests until the standard input ends, which is when the process that started this one does."""
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.collect()
    gc.freeze()  # a collection in a fork copies no page of what was imported
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        running = 0
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            connection = listener.accept()[0]
            if os.fork() == 0:
                listener.close()
                _answer(connection)
            connection.close()
            running += 1
            while running and os.waitpid(-1, os.WNOHANG)[0]:
                running -= 1


def _answer(connection: socket.socket) -> None:
    """Run a script in a child, and send its exit status when it has ended."""
    streams = socket.recv_fds(connection, 1, 3)[1]
    request = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    child = os.fork()
    if child == 0:
        connection.close()
        _run(*ast.literal_eval(request.decode()), streams)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    connection.sendall(str(status if status >= 0 else 128 - status).encode())
    os._exit(0)


def _run(script: str, folder: str, environment: dict[str, str], streams: list[int]) -> None:
    """Run a script as `python script` would, and leave."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [script]
    sys.path.insert(0, str(Path(script).absolute().parent))
    do_and_leave(lambda: runpy.run_path(script, run_name="__main__"))
