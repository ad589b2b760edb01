"""Jobs of a local run that are killed while they work."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from support.workspace import Workspace

PROC = Path("/proc/self/stat").exists()
"""Whether the processes of a job can be found."""


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Return as soon as the condition holds; fail with what was waited for."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.005)


def kill(workspace: Workspace, target: str, script: str, reached: Callable[[], bool]) -> None:
    """Start a run, kill Snakemake and the job of a script as soon as a condition holds, and unlock the folder."""
    with subprocess.Popen(
        workspace.command(target, "--cores", "1"), cwd=workspace.folder, env=workspace.environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as driver:  # fmt: skip

        def time_to_kill() -> bool:
            assert driver.poll() is None, "the run ended before its job was to be killed"
            return reached()

        wait_for(time_to_kill, 300, "the job to be killed")
        jobs = list(_script_processes(script, driver.pid))
        assert jobs, "the job had ended before it was killed"
        driver.send_signal(signal.SIGKILL)
        for pid in jobs:
            os.kill(pid, signal.SIGKILL)
    assert not (workspace.folder / target).exists()
    workspace.run("--unlock")


def _script_processes(script: str, driver: int) -> Iterator[int]:
    """Yield the interpreters that run a script under one Snakemake process."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if (
            words[-2:-1]
            and words[-2].endswith(script)
            and "python" in words[0]
            and _descends(int(entry.name), driver)
        ):
            yield int(entry.name)


def _descends(pid: int, ancestor: int) -> bool:
    while pid > 1:
        if pid == ancestor:
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False
