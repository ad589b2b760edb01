"""The boundary between Snakemake and the scripts: a log per job, and the provenance of what it writes.

It is not part of the package `crane`, because a change here changes no result.
"""

import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crane.errors import CraneError
from crane.provenance.code_version import library_versions


@contextmanager
def job_log(snakemake: Any) -> Iterator[None]:
    """Send everything that the job prints to its log, with the rule, the machine and the versions in its head.

    File descriptors 1 and 2 are redirected, so that output of C libraries and child processes is captured as well. An
    error that the user can fix ends the job with one line instead of a traceback.
    """
    path = Path(snakemake.log[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", buffering=1, encoding="utf-8") as log:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    start = time.monotonic()
    wildcards = " ".join(f"{name}={value}" for name, value in snakemake.wildcards.items())
    print(f"{snakemake.rule} {wildcards}  started {time.strftime('%Y-%m-%d %H:%M:%S %z')}")
    print(f"on {platform.node()}, {platform.machine()}, {snakemake.threads} threads, SLURM job "
          f"{os.environ.get('SLURM_JOB_ID', 'none')}")  # fmt: skip
    print(
        f"python {platform.python_version()}, " + ", ".join(f"{n} {v}" for n, v in library_versions().items())
    )
    print(f"params {dict(snakemake.params.items())}", flush=True)
    try:
        yield
    except CraneError as error:
        sys.stdout.flush()
        print(f"error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from error
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"finished after {time.monotonic() - start:.1f} s, peak memory {peak:.0f} MB", flush=True)


def provenance(snakemake: Any, **more: Any) -> dict[str, Any]:
    """Return the metadata of this job's tables: study, rule, wildcards, params (with the code version), versions."""
    return {
        "study": Path(snakemake.output[0]).parts[1],  # results/<study>/...
        "rule": snakemake.rule,
        "wildcards": dict(snakemake.wildcards.items()),
        "params": {name: _plain(value) for name, value in snakemake.params.items()},
        "versions": library_versions(),
        **more,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) or type(value).__name__ == "Namedlist":
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
