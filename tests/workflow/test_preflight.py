"""`snakemake preflight` and `snakemake plan`, run for real."""

import copy
from pathlib import Path
from typing import Any

import pytest
from workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path, demo_config: dict[str, Any]) -> Workspace:
    return Workspace(tmp_path, demo_config)


def test_the_demo_passes_and_what_is_missing_fails_with_its_line(workspace: Workspace) -> None:
    passed = workspace.run("preflight")
    lines = [line for line in passed.stdout.splitlines() if line.startswith(("ok", "FAIL"))]
    assert {line.split(":")[0] for line in lines} == {
        "ok    disk", "ok    environment relevance", "ok    environment evaluation", "ok    environment analysis",
    }  # fmt: skip
    assert "4 checks, 0 failed" in passed.stdout
    assert not list(workspace.results.rglob("*.json"))  # nothing stays but logs

    config = copy.deepcopy(workspace.config)
    config["models"]["chat"] = {
        "label": "Chat", "source": "local", "path": "nowhere", "layers": 4, "intermediate_size": 256,
        "parameters": 1e6,
    }  # fmt: skip
    workspace.configure(config)
    failed = workspace.run("preflight", check=False)
    assert failed.returncode != 0
    assert "FAIL  models.chat: nowhere: no such model folder" in failed.stdout
    assert "5 checks, 1 failed" in failed.stdout


def test_a_node_without_a_gpu_says_so(workspace: Workspace) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    failed = workspace.run("preflight_gpu", check=False)
    assert failed.returncode != 0
    assert "FAIL  gpu: PyTorch sees no GPU on this node" in failed.stdout


def test_the_plan_is_printed_and_kept(workspace: Workspace) -> None:
    done = workspace.run("plan")
    assert "GPU hours" in done.stdout
    assert (workspace.results / "logs" / "plan.log").read_text() in done.stdout
