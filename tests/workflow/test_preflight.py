"""`snakemake preflight` and `snakemake plan`, run for real."""

import re
from pathlib import Path
from typing import Any

import pytest
from crane.preflight.plan import estimate
from crane.study.study import Study
from support.places import ROOT
from support.study_config import preset, whole_demo
from support.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path, demo_config: dict[str, Any]) -> Workspace:
    return Workspace(tmp_path, demo_config)


def test_the_demo_passes_and_what_is_missing_fails_with_its_line(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(workspace, "warm", False)  # the jobs find out what can be imported
        passed = workspace.run("preflight")
    lines = [line for line in passed.stdout.splitlines() if line.startswith(("ok", "FAIL"))]
    assert {line.split(":")[0] for line in lines} == {
        "ok    disk", "ok    environment relevance", "ok    environment evaluation", "ok    environment analysis",
        "ok    models.base", "ok    models.chat", "ok    selection null",
    }  # fmt: skip
    assert "7 checks, 0 failed" in passed.stdout
    assert not list(workspace.results.rglob("*.json"))  # nothing stays but logs

    # As the profile of a cluster has them: what has failed is not waited for, nor tried again.
    with workspace.configured(lambda config: config["models"]["chat"].update(path="nowhere")):
        failed = workspace.run("preflight", "--retries", "2", "--latency-wait", "60", check=False)
    assert failed.returncode != 0
    assert failed.stdout.count("FAIL  models.chat: nowhere: no such model folder") == 1
    assert "7 checks, 1 failed" in failed.stdout
    assert "Missing files" not in failed.stdout + failed.stderr
    assert failed.stderr.count("Error in rule preflight") == 1


def test_make_shows_why_a_configuration_cannot_be_read(workspace: Workspace) -> None:
    """With `--quiet all`, Snakemake says nothing of its errors either."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (quiet,) = re.findall(r"snakemake \$@ .*(--quiet [a-z ]+) --configfile", makefile)
    for content, expected in (
        ("study: 2024\n", "study: must be a string, not 2024; put it in quotes"),
        ("study:\n\tmine\n", "Config file is not valid JSON or YAML"),
        (None, "study.yaml"),
    ):
        study = workspace.folder / "study.yaml"
        study.unlink() if content is None else study.write_text(content)
        failed = workspace.run("preflight", *quiet.split(), check=False)
        assert failed.returncode != 0
        assert expected in failed.stdout + failed.stderr


def test_a_node_without_a_gpu_says_so(workspace: Workspace) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    failed = workspace.run("preflight_gpu", "--retries", "2", "--latency-wait", "60", check=False)
    assert failed.returncode != 0
    assert failed.stdout.count("FAIL  gpu: PyTorch sees no GPU on this node") == 1
    assert "Missing files" not in failed.stdout + failed.stderr


# The rules of the stages of the plan; those made in loops have more behind their names.
STAGES = {
    "models": ["generate_demo_data", "train_demo_model", "finetune_demo_model", "link_local_model"],
    "data sets": [],
    "corpora": ["sample_corpus", "sample_held_out"],
    "relevance": ["attribute_relevance", "freeze_bin_edges"],
    "kurtosis and masks": ["reduce_kurtosis", "reduce_half", "measure_stability", "measure_selection_null",
                           "select_neurons", "draw_random_neurons"],
    "prompts": ["render_prompts", "render_open_questions", "draw_questions", "draw_held_out"],
    "evaluation": ["evaluate_masks", "collect_answers", "record_donor_values"],
    "calibration": ["measure_effects", "score_calibration"],
    "steering": ["steer_masks", "score_steering"],
    "judging": ["ask_judge", "parse_judgements"],
}  # fmt: skip


@pytest.mark.parametrize(
    "config", [preset("demo", "demo-evidence"), whole_demo()], ids=["shipped", "trained"]
)
def test_the_plan_is_printed_and_kept_and_counts_the_jobs_of_a_dry_run(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    workspace = Workspace(tmp_path, config)
    done = workspace.run("plan")
    assert "GPU hours" in done.stdout
    assert (workspace.results / "logs" / "plan.log").read_text() in done.stdout
    planned = workspace.planned()
    stages = estimate(Study(workspace.config))
    counted = {stage.name: stage.jobs for stage in stages}
    assert {"steering": 0, **counted} == {
        name: sum(jobs for rule, jobs in planned.items() if rule.startswith(tuple(rules)) and rules)
        for name, rules in STAGES.items()
    }
    assert all(stage.jobs for stage in stages if STAGES[stage.name])
