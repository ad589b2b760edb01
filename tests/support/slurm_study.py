"""The small study of these tests, and copies of the workflow that run on their cluster."""

import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.numpy import load

from support.cluster import Cluster
from support.workspace import SNAKEMAKE, Workspace, plain

LANGUAGES = ["en", "vi"]
SHARDS = 2


def small(demo: dict[str, Any]) -> dict[str, Any]:
    """The demo in its smallest form that has every stage: two languages, one model; several jobs of each kind."""
    config = plain(demo)
    config["study"] = "small"
    config["languages"] = {code: config["languages"][code] for code in LANGUAGES}
    config["models"] = {"base": config["models"]["base"]}
    config["transfer_models"] = []
    config["demo"]["data"].update(documents=600, identification=120, benchmark=12, questions=2)
    config["corpora"].update(documents=80, shards=SHARDS)
    config["relevance"].update(batch_tokens=48, shards_per_job=1)
    config["evaluation"].update(sets_per_job=2)
    config["mask_sets"] = {name: config["mask_sets"][name] for name in ("crane", "dispersion")}
    config["benchmarks"] = {
        name: settings for name, settings in config["benchmarks"].items() if settings["language"] in LANGUAGES
    }
    config["suites"] = {"quiz": list(config["benchmarks"])}
    config["open_questions"]["suffix"] = dict.fromkeys(LANGUAGES, "")
    config["open_questions"].update(max_new_tokens=8)
    config["scores"]["resamples"] = 200
    return config


class SlurmWorkspace(Workspace):
    """A copy of the workflow that is run with `--profile slurm` on the cluster of the tests."""

    warm = False

    def __init__(self, folder: Path, config: dict[str, Any], cluster: Cluster) -> None:
        super().__init__(folder, config)
        (folder / "slurm").symlink_to("profiles/slurm")
        self.cluster = cluster

    def command(self, *arguments: str) -> list[str]:
        # The profile's 20 seconds are for jobs of hours; here a job lasts some 20: the looks are after 8, 26, 54 s.
        quick = ["--slurm-init-seconds-before-status-checks", "8"]
        return [SNAKEMAKE, *arguments, "--profile", "slurm", "--configfile", "study.yaml", *quick]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), **self.cluster.environment}

    def start(self, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """Start the driver, with what it prints in `log`; Ctrl-C ends it, also if the tests run in the background."""
        with log.open("wb") as out:
            return subprocess.Popen(
                self.command(*arguments), cwd=self.folder, env=self.environment(), stdout=out, stderr=out,
                preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
            )  # fmt: skip

    def jobs_of(self, rule: str) -> list[dict[str, str]]:
        """Return the SLURM jobs of a rule, or of all rules whose names begin so, in the order of submission."""
        return [job for job in self.cluster.jobs().values() if rule_of(job).startswith(rule)]


def rule_of(job: dict[str, str]) -> str:
    """Return the rule of a SLURM job, from the folder that the plugin gives its output."""
    folder = Path(job["StdOut"]).relative_to(Path(job["WorkDir"]) / ".snakemake" / "slurm_logs").parts[0]
    return folder.removeprefix("rule_")


def wildcards_of(job: dict[str, str]) -> str:
    """Return the values of a SLURM job's wildcards that are not empty."""
    return Path(job["StdOut"]).parent.name.strip("_")


def tensors(content: bytes) -> dict[str, bytes]:
    """Return the tensors of a safetensors file, without its metadata (which name nodes and versions)."""
    return {name: array.tobytes() for name, array in load(content).items()}


class Study(NamedTuple):
    """The study as it was run on the cluster."""

    workspace: SlurmWorkspace
    results: Path
    """A copy of the results as they were when the study was finished."""
    jobs: list[dict[str, str]]
    """What SLURM says of the jobs of both runs."""
    interrupted: set[str]
    """Ids of the jobs that the cluster still had when the first driver, interrupted, had ended."""
    partial: list[Path]
    """Unfinished files that the interruption left."""
    third_run: str
    """What a driver says that is started once more."""
