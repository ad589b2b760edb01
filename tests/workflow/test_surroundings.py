"""What surrounds a run: the locale, the place of the interpreter, and the locks of a run that was killed."""

import os
import subprocess
import sys
import sysconfig

import pytest
from crane.artefacts import read_table
from support.places import ROOT
from support.workspace import Workspace, plain

SUFFIX = "请用中文回答。"
QUESTIONS = "results/demo/prompts/base/open.parquet"


@pytest.fixture(scope="module")
def study(tmp_path_factory, demo_config) -> Workspace:
    config = plain(demo_config)
    config["open_questions"] = config["open_questions"] | {"suffix": {"en": "", "zh": SUFFIX, "vi": ""}}
    workspace = Workspace(tmp_path_factory.mktemp("surroundings"), config)
    workspace.warm = False  # the locale counts when Python starts
    return workspace


@pytest.fixture
def ascii_locale(monkeypatch) -> None:
    # Python 3.11 takes UTF-8 in the locale C by itself, if it is not told otherwise.
    for name, value in {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}.items():
        monkeypatch.setenv(name, value)


def test_files_and_logs_are_utf8_whatever_the_locale(study, ascii_locale):
    study.run(QUESTIONS)
    log = (study.results / "logs" / "render_open_questions" / "base.log").read_text(encoding="utf-8")
    assert SUFFIX in log
    rendered = read_table(study.folder / QUESTIONS)
    assert rendered["prompt"][rendered["language"] == "zh"].str.contains(SUFFIX).all()


def test_an_interpreter_under_a_path_with_a_space_is_told_at_once(study, tmp_path):
    python = tmp_path / "my software" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    command = [python, "-m", "snakemake", *study.command("--dry-run")[1:]]
    environment = {**study.environment(), "PYTHONPATH": sysconfig.get_path("purelib")}
    done = subprocess.run(command, cwd=study.folder, env=environment, text=True, capture_output=True)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"{python}: Snakemake cannot start jobs" in output
    assert "Traceback" not in output


def test_after_a_killed_run_the_way_out_is_named(study):
    lock = study.folder / ".snakemake" / "locks" / "0.output.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(f"{QUESTIONS}\n")
    (study.folder / QUESTIONS).unlink(missing_ok=True)
    locked = study.run(QUESTIONS, check=False)
    assert locked.returncode != 0 and not (study.folder / QUESTIONS).exists()
    assert "run `make unlock`, then the same command again" in locked.stderr
    assert "make unlock" not in study.run("--dry-run", QUESTIONS).stderr
    unlock = subprocess.run(["make", "-n", "unlock"], cwd=ROOT, capture_output=True, text=True).stdout
    assert any(line.endswith("--unlock") for line in unlock.splitlines())
    study.run("--unlock")
    assert not lock.exists() and "make unlock" not in study.run("--dry-run", QUESTIONS).stderr


def test_the_fixture_of_the_locale_is_one_that_python_cannot_write_chinese_in(ascii_locale):
    done = subprocess.run([sys.executable, "-c", "print('\\u8bf7')"], env=os.environ, capture_output=True)
    assert b"UnicodeEncodeError" in done.stderr
