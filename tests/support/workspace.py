"""Copies of the workflow in which Snakemake can be run for real."""

import copy
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from support.places import ROOT

PARTS = ["Snakefile", "workflow", "config", "profiles", "resources", "envs", "README.md", "CITATION.cff"]
SNAKEMAKE = str(Path(sys.executable).with_name("snakemake"))


def plain(config: dict[str, Any]) -> dict[str, Any]:
    """Return a copy without the optional sections, which name mask sets, suites and models of the whole demo."""
    optional = ("sweeps", "perplexity", "relevance_variants", "published")
    return copy.deepcopy({key: value for key, value in config.items() if key not in optional})


class Workspace:
    """A copy of the workflow with one study's configuration."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder = folder
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy2(source, folder / part)
        self.config = config
        self.configure(config)

    @property
    def results(self) -> Path:
        return self.folder / "results" / self.config["study"]

    def configure(self, config: dict[str, Any]) -> None:
        (self.folder / "study.yaml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))

    def command(self, *arguments: str) -> list[str]:
        return [SNAKEMAKE, *arguments, "--workflow-profile", "profiles/local", "--configfile", "study.yaml"]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments), cwd=self.folder, env=self.environment(), text=True, capture_output=True
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments} failed:\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
        return done

    def planned(self) -> Counter[str]:
        """Return how many jobs of each rule a dry run plans, without the target rule."""
        output = self.run("--dry-run", "--quiet", "rules").stdout
        lines = [line.split() for line in output.splitlines()]
        jobs = {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdigit()}
        return Counter({rule: n for rule, n in jobs.items() if rule not in ("all", "total")})

    def reruns(self) -> Counter[str]:
        """Return the planned jobs but for the record of the whole study, which is made anew with any of them."""
        jobs = self.planned()
        assert jobs.pop("record_provenance", 0) == bool(jobs)
        return jobs

    def outputs(self) -> list[str]:
        """Return the path of every output file of the study."""
        table = self.run("--summary").stdout.splitlines()[1:]
        return [line.split("\t")[0] for line in table]

    def pretend_finished(self) -> None:
        """Make every output exist and let Snakemake record it as made with the present code and params."""
        for name in self.outputs():
            path = self.folder / name
            if path.parent.name in ("models", "datasets"):
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        self.run("--touch", "--forceall")
