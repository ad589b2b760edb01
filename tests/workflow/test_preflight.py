"""`snakemake preflight` and `snakemake plan`, run for real."""

import copy
from pathlib import Path
from typing import Any

import pytest
from crane.preflight.plan import estimate
from crane.study.study import Study
from support.workspace import Workspace


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
    # As the profile of a cluster has them: what has failed is not waited for, nor tried again.
    failed = workspace.run("preflight", "--retries", "2", "--latency-wait", "60", check=False)
    assert failed.returncode != 0
    assert failed.stdout.count("FAIL  models.chat: nowhere: no such model folder") == 1
    assert "5 checks, 1 failed" in failed.stdout
    assert "Missing files" not in failed.stdout + failed.stderr
    assert failed.stderr.count("Error in rule preflight") == 1


def test_a_node_without_a_gpu_says_so(workspace: Workspace) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    failed = workspace.run("preflight_gpu", "--retries", "2", "--latency-wait", "60", check=False)
    assert failed.returncode != 0
    assert failed.stdout.count("FAIL  gpu: PyTorch sees no GPU on this node") == 1
    assert "Missing files" not in failed.stdout + failed.stderr


# The rules of the stages of the plan.
STAGES = {
    "models": ["generate_demo_data", "train_demo_model", "finetune_demo_model"],
    "data sets": [],
    "corpora": ["sample_corpus"],
    "relevance": ["attribute_relevance"],
    "kurtosis and masks": ["reduce_kurtosis", "reduce_half", "measure_stability", "select_neurons",
                           "select_lape_neurons", "draw_random_neurons"],
    "benchmarks": ["run_benchmarks"],
    "open answers": ["generate_answers"],
    "perplexity": ["sample_held_out", "measure_perplexity"],
    "judging": ["ask_judge", "parse_judgements"],
}  # fmt: skip


def test_the_plan_is_printed_and_kept_and_counts_the_jobs_of_a_dry_run(workspace: Workspace) -> None:
    done = workspace.run("plan")
    assert "GPU hours" in done.stdout
    assert (workspace.results / "logs" / "plan.log").read_text() in done.stdout
    planned = workspace.planned()
    stages = estimate(Study(workspace.config))
    counted = {stage.name: stage.jobs for stage in stages}
    assert counted == {name: sum(planned[rule] for rule in rules) for name, rules in STAGES.items()}
    assert all(stage.jobs for stage in stages if STAGES[stage.name])
