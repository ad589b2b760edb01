"""Files that are written whole or not at all, also when the process that writes them is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from crane import artefacts
from crane.artefacts import atomic_file

SCRIPTS = Path(artefacts.__file__).parents[1]
HALF = b"x" * 100_000
WRITE = f"""
import sys, time
sys.path.insert(0, {str(SCRIPTS)!r})
from crane.artefacts import atomic_file
with atomic_file(sys.argv[1]) as partial, partial.open("wb") as file:
    for part in range(2):
        file.write(b"x" * {len(HALF)})
        file.flush()
        while part == 0 and sys.argv[2] == "wait":
            time.sleep(0.01)
"""


def writer(target: Path, how: str) -> list[str]:
    return [sys.executable, "-c", WRITE, str(target), how]


@pytest.mark.parametrize("older", [None, b"of an earlier run"])
def test_a_process_killed_while_it_writes_leaves_the_target_as_it_was(
    tmp_path: Path, older: bytes | None
) -> None:
    target = tmp_path / "0.safetensors"
    if older is not None:
        target.write_bytes(older)
    partial = tmp_path / ".0.safetensors.partial"
    with subprocess.Popen(writer(target, "wait")) as process:
        until = time.monotonic() + 60
        while not (partial.exists() and partial.stat().st_size == len(HALF)):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert partial.read_bytes() == HALF
    assert (target.read_bytes() if target.exists() else None) == older
    subprocess.run(writer(target, "on"), check=True)
    assert target.read_bytes() == HALF * 2
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="half"), atomic_file(tmp_path / "deep" / "a.txt") as partial:
        partial.write_text("half")
        raise RuntimeError("half")
    assert not list((tmp_path / "deep").iterdir())
