"""Copies of the workflow in which Snakemake can be run for real."""

import copy
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import yaml

from support.forked_snakemake import snakemake
from support.places import ROOT
from support.warm_python import warm_python

PARTS = ["Snakefile", "workflow", "config", "profiles", "resources", "envs", "README.md", "CITATION.cff"]
STARTS_NO_JOB = {"--dry-run", "--summary", "--touch", "--unlock"}
SNAKEMAKE = str(Path(sys.executable).with_name("snakemake"))


def plain(config: dict[str, Any]) -> dict[str, Any]:
    """Return a copy without the optional sections, which name mask sets, suites and models of the whole demo."""
    optional = (
        "sweeps", "perplexity", "calibration", "steering", "comparison", "relevance_variants", "published",
    )  # fmt: skip
    return copy.deepcopy({key: value for key, value in config.items() if key not in optional})


class Workspace:
    """A copy of the workflow with one study's configuration; a copy that exists is taken as it is."""

    warm = sys.platform == "linux"  # on others not every library survives a fork
    """Whether Snakemake and its jobs start in forks of processes that have imported the libraries."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder = folder
        self.config = config
        if (folder / "study.yaml").exists():
            return
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy2(source, folder / part)
        self.configure(config)

    def copy_to(self, folder: Path) -> Self:
        """Return a copy with all results and what Snakemake knows of them."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        other = copy.copy(self)
        other.folder = folder
        return other

    @property
    def results(self) -> Path:
        return self.folder / "results" / self.config["study"]

    def configure(self, config: dict[str, Any]) -> None:
        (self.folder / "study.yaml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))

    @contextmanager
    def configured(self, edit: Callable[[dict[str, Any]], Any]) -> Iterator[dict[str, Any]]:
        """Change the study while the context lasts."""
        before = self.config
        self.config = copy.deepcopy(before)
        edit(self.config)
        self.configure(self.config)
        try:
            yield self.config
        finally:
            self.config = before
            self.configure(before)

    @contextmanager
    def edited(self, file: str, old: str = "", new: str = "\n# edited\n") -> Iterator[None]:
        """Replace a text of a file, or its empty end, while the context lasts."""
        path = self.folder / file
        original = path.read_text(encoding="utf-8")
        assert not old or original.count(old) == 1
        path.write_text(original.replace(old, new) if old else original + new, encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(original, encoding="utf-8")

    def command(self, *arguments: str) -> list[str]:
        return [SNAKEMAKE, *arguments, "--workflow-profile", "profiles/local", "--configfile", "study.yaml"]

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = self.command(*arguments)
        if STARTS_NO_JOB & set(arguments):
            done = snakemake(command[1:], self.folder, self.environment())
        elif self.warm:
            done = snakemake(command[1:], self.folder, self.environment(), warm_python())
        else:
            done = subprocess.run(
                command, cwd=self.folder, env=self.environment(), text=True, capture_output=True
            )
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments} failed:\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
        return done

    def planned(self, *targets: str) -> Counter[str]:
        """Return how many jobs of each rule a dry run plans, without the target rule."""
        output = self.run(*targets, "--dry-run", "--quiet", "rules").stdout
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
        for path in self.results.glob("parts/receipts/*/*.txt"):
            path.unlink()  # temporary, which a touch does not see to
        for path in self.results.glob("parts/receipts/*/*/*.json"):
            path.touch()  # as the last rule of a study does
