"""The SLURM profile against the rules: what it names, what it leaves to them, and its site settings."""

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml
import yte
from support.places import ROOT
from support.workspace import SNAKEMAKE, Workspace

PROFILE = ROOT / "profiles" / "slurm" / "config.yaml"


def rendered(**site: str) -> dict[str, Any]:
    """Return the profile as Snakemake reads it, with other site settings."""
    text = yaml.safe_load(PROFILE.read_text(encoding="utf-8"))
    assert set(site) <= set(text["__variables__"])
    text["__variables__"].update(site)
    return yte.process_yaml(yaml.safe_dump(text, sort_keys=False), require_use_yte=True)


def submitted_rules() -> dict[str, str]:
    """Return the text of every rule that is not local."""
    rules = {}
    for path in [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]:
        blocks = re.split(r"^rule (\w+):$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        rules.update(zip(blocks[1::2], blocks[2::2], strict=True))
    assert len(rules) > 20
    return {name: text for name, text in rules.items() if "\n    localrule: True\n" not in text}


def test_every_submitted_rule_has_its_memory_and_time() -> None:
    resources = rendered()["set-resources"]
    assert submitted_rules().keys() == resources.keys()
    for rule, settings in resources.items():
        for key in ("mem_mb", "runtime"):
            assert "attempt" in settings[key], rule


def test_snakemake_reads_the_profile(demo_config: dict[str, Any], tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, demo_config)
    done = subprocess.run(
        [SNAKEMAKE, "--dry-run", "--profile", "profiles/slurm", "--configfile", "study.yaml"],
        cwd=workspace.folder, env=workspace.environment(), text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    job = (done.stdout + done.stderr).split("\nrule attribute_relevance:\n")[1].split("\n\n")[0]
    resources = dict(pair.split("=") for pair in re.search(r"resources: (.*)", job)[1].split(", "))
    wanted = {"slurm_partition": "gpu", "gpu": "1", "nodes": "1", "mem_mb": "32000", "runtime": "120",
              "cpus_per_task": "4"}  # fmt: skip
    assert wanted.items() <= resources.items()


def test_gpus_are_left_to_the_rules() -> None:
    profile = rendered()
    for rule, resources in [("default", profile["default-resources"]), *profile["set-resources"].items()]:
        assert not resources.keys() & {"gpu", "gpus", "gres", "nvidia_gpu"}, rule
        needs_gpu = rule != "default" and "        gpu=" in submitted_rules()[rule]
        assert (resources.get("slurm_partition") == "'gpu'") == needs_gpu, rule


def test_the_gpus_of_a_job_are_of_one_node() -> None:
    """The plugin asks for GPUs alone (--gpus=2 --ntasks-per-gpu=1), which SLURM may take from two nodes."""
    for rule, resources in rendered()["set-resources"].items():
        needs_gpu = "        gpu=" in submitted_rules()[rule]
        assert resources.get("nodes") == (1 if needs_gpu else None), rule


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
            if "        gpu=" in submitted_rules()[rule]
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
