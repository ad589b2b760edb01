"""The interpreter of the tests' jobs does what Python does, from libraries that are imported already."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.warm_python import warm_python
from support.workspace import Workspace

pytestmark = pytest.mark.skipif(
    not Workspace.warm, reason="jobs of the tests start as a Python of their own here"
)
SCRIPT = """
import json, os, sys
from beside import NAME
print(json.dumps([NAME, sys.argv, __name__, os.getcwd(), os.environ["GIVEN"], sys.stdin.read()]))
print("to stderr", file=sys.stderr)
os.environ["GIVEN"] = "changed"
{end}
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "beside.py").write_text("NAME = 'beside'\n")
    return tmp_path / "scripts" / "script.py"


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise ValueError('no')", "os.kill(os.getpid(), 9)"])
def test_a_script_runs_as_under_python(script: Path, end: str) -> None:
    script.write_text(SCRIPT.format(end=end))
    cold, warm = (
        subprocess.run(
            ["/bin/sh", "-c", '"$0" scripts/script.py', python], cwd=script.parents[1], input="read",
            env={**os.environ, "GIVEN": "here"}, text=True, capture_output=True,
        )
        for python in (sys.executable, str(warm_python()))
    )  # fmt: skip
    assert warm.returncode == cold.returncode
    assert warm.stdout == cold.stdout
    assert "beside" in warm.stdout or "kill" in end
    assert warm.stderr.splitlines()[:1] == cold.stderr.splitlines()[:1]
    assert ("ValueError: no" in warm.stderr) == ("ValueError" in end)


def test_its_libraries_are_imported_already(script: Path) -> None:
    script.write_text("import sys; print('torch' in sys.modules, 'crane' in sys.modules)")
    done = subprocess.run([warm_python(), script], text=True, capture_output=True, check=True)
    assert done.stdout == "True False\n"


def test_other_arguments_go_to_python_itself() -> None:
    done = subprocess.run(
        [warm_python(), "-c", "import sys; print(sys.executable)"], text=True, capture_output=True
    )
    assert done.stdout == f"{sys.executable}\n"
