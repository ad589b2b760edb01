"""The SLURM profile against the rules: what it names, what it leaves to them, and its site settings."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
import yte
from support.forked_snakemake import snakemake
from support.places import ROOT
from support.study_config import preset, whole_demo
from support.workspace import Workspace

PROFILE = ROOT / "profiles" / "slurm" / "config.yaml"
# A dry run does not tell which jobs would be local.
NAME_SUBMITTED = """
import sys
print("submitted:", *(each.name for each in workflow.rules if each.name not in workflow._localrules), file=sys.stderr)
"""
GPU_RULES = {
    "attribute_relevance", "record_donor_values", "evaluate_masks", "steer_masks", "measure_effects", "check_gpu",
    "find_top_samples", "attribute_examples", "freeze_bin_edges",
}  # fmt: skip


def rendered(**site: str) -> dict[str, Any]:
    """Return the profile as Snakemake reads it, with other site settings."""
    text = yaml.safe_load(PROFILE.read_text(encoding="utf-8"))
    assert set(site) <= set(text["__variables__"])
    text["__variables__"].update(site)
    return yte.process_yaml(yaml.safe_dump(text, sort_keys=False), require_use_yte=True)


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Return the resources of a job of every rule that is submitted, as a dry run with the profile has them."""
    config = {**whole_demo(), "steering": preset("demo-evidence")["steering"]}
    del config["published"]  # which says nothing of other benchmarks
    for code in config["languages"]:
        config["benchmarks"][f"goes_on_{code}"] = {
            "label": f"Continuation ({code})", "language": code, "source": "continuation", "questions": 20,
            "context_tokens": 12, "continuation_tokens": 6,
        }  # fmt: skip
    config["suites"]["goes_on"] = [f"goes_on_{code}" for code in config["languages"]]
    config["evaluation"]["sets_per_job"] = 7
    config["relevance"]["shards_per_job"] = 1
    workspace = Workspace(tmp_path_factory.mktemp("profile"), config)
    with (workspace.folder / "Snakefile").open("a", encoding="utf-8") as snakefile:
        snakefile.write(NAME_SUBMITTED)
    results = f"results/{config['study']}"
    targets = ["all", "explorer", "preflight_gpu", f"{results}/exports/base/crane/en"]
    targets.append(f"{results}/bin_edges/base.safetensors")  # for mask sets that the demo does not have
    arguments = ["--dry-run", "--profile", "profiles/slurm", "--configfile", "study.yaml", "--"]
    done = snakemake([*arguments, *targets], workspace.folder, workspace.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    output = done.stdout + done.stderr
    jobs = dict(re.findall(r"^rule (\w+):\n((?: +.*\n)+)", output, flags=re.MULTILINE))
    submitted = re.search(r"^submitted: (.*)$", output, re.MULTILINE)[1].split()
    assert len(jobs) > len(submitted) > 20
    listed = {rule: re.search(r"^ +resources: (.*)$", jobs[rule], re.MULTILINE)[1] for rule in submitted}
    return {rule: dict(pair.split("=", 1) for pair in line.split(", ")) for rule, line in listed.items()}


def key_of(rule: str) -> str:
    """Return the profile's name of a rule; those made in loops have a model and a number behind it."""
    return re.sub(r"^(evaluate_masks|attribute_relevance|steer_masks)_.*", r"\1", rule)


def test_every_submitted_rule_has_its_memory_and_time(submitted: dict[str, dict[str, str]]) -> None:
    resources = rendered()["set-resources"]
    assert {key_of(rule) for rule in submitted} == resources.keys()
    for rule, settings in resources.items():
        for key in ("mem_mb", "runtime"):
            assert "attempt" in settings[key], rule


def test_the_settings_reach_the_rules_made_in_loops(submitted: dict[str, dict[str, str]]) -> None:
    assert {"attribute_relevance_0", "attribute_relevance_1"} <= submitted.keys()
    evaluating = [rule for rule in submitted if key_of(rule) == "evaluate_masks"]
    assert len(evaluating) > 4 and {rule.split("_")[2] for rule in evaluating} == {"base", "chat"}
    resources = rendered()["set-resources"]
    for rule, wanted in submitted.items():
        settings = resources[key_of(rule)]
        for key in ("mem_mb", "runtime"):
            assert int(wanted[key]) == eval(settings[key], {"attempt": 1}), rule
        for key in ("nodes", "cpus_per_task"):
            assert wanted.get(key) == (str(settings[key]) if key in settings else None), rule


def test_gpus_are_left_to_the_rules(submitted: dict[str, dict[str, str]]) -> None:
    profile = rendered()
    for rule, resources in [("default", profile["default-resources"]), *profile["set-resources"].items()]:
        assert not resources.keys() & {"gpu", "gpus", "gres", "nvidia_gpu"}, rule
    for rule, resources in submitted.items():
        assert resources["slurm_partition"] == ("gpu" if "gpu" in resources else "cpu"), rule


def test_the_gpus_of_a_job_are_of_one_node(submitted: dict[str, dict[str, str]]) -> None:
    """The plugin asks for GPUs alone (--gpus=2 --ntasks-per-gpu=1), which SLURM may take from two nodes."""
    assert {key_of(rule) for rule, resources in submitted.items() if "gpu" in resources} == GPU_RULES
    for rule, resources in rendered()["set-resources"].items():
        assert resources.get("nodes") == (1 if rule in GPU_RULES else None), rule


def test_site_settings_reach_the_jobs_that_they_are_meant_for() -> None:
    site = {
        "cpu_partition": "all", "gpu_partition": "gpu-long", "account": "p123", "gpu_model": "a100",
        "gpu_constraint": "a100&gpu80gb",
    }  # fmt: skip
    profile = rendered(**site)
    # In quotes: Snakemake evaluates resources as Python, where `all` is a function and `gpu-long` a difference.
    assert profile["default-resources"]["slurm_account"] == "'p123'"
    assert profile["default-resources"]["slurm_partition"] == "'all'"
    for rule, resources in profile["set-resources"].items():
        wanted = (
            {"slurm_partition": "'gpu-long'", "gpu_model": "'a100'", "constraint": "'a100&gpu80gb'"}
            if rule in GPU_RULES
            else {}
        )
        keys = ("slurm_partition", "gpu_model", "constraint")
        assert {key: resources[key] for key in keys if key in resources} == wanted, rule
    empty = rendered()
    assert "slurm_account" not in empty["default-resources"]
    assert not any("gpu_model" in r or "constraint" in r for r in empty["set-resources"].values())


def test_both_profiles_rerun_for_the_same_reasons() -> None:
    local = yaml.safe_load((ROOT / "profiles" / "local" / "config.yaml").read_text())
    assert rendered()["rerun-triggers"] == local["rerun-triggers"]


def test_the_command_of_the_documentation_finds_the_profile() -> None:
    link = ROOT / "slurm"
    assert link.is_symlink() and link.readlink() == Path("profiles/slurm")
