"""The order in which the Snakefile includes the rules decides nothing."""

import random
from pathlib import Path

import pytest
from support.study_config import whole_demo
from support.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("includes"), whole_demo())


def shuffled(snakefile: str, seed: int) -> str:
    """Return the Snakefile with its includes in another order, but for the first, which all others need."""
    lines = snakefile.splitlines(keepends=True)
    places = [number for number, line in enumerate(lines) if line.startswith("include:")]
    assert len(places) > 10 and "common.smk" in lines[places[0]]
    moved = [lines[place] for place in places[1:]]
    random.Random(seed).shuffle(moved)
    for place, line in zip(places[1:], moved, strict=True):
        lines[place] = line
    return "".join(lines)


def test_the_same_jobs_are_planned_in_any_order_of_includes(workspace: Workspace) -> None:
    snakefile = workspace.folder / "Snakefile"
    original = snakefile.read_text(encoding="utf-8")
    planned = workspace.planned()
    assert planned.total() > 150
    for seed in range(4):
        other = shuffled(original, seed)
        assert other != original
        snakefile.write_text(other, encoding="utf-8")
        assert workspace.planned() == planned, other


def test_every_rule_file_is_included_once(workspace: Workspace) -> None:
    lines = Path(workspace.folder / "Snakefile").read_text(encoding="utf-8").splitlines()
    included = sorted(line.split('"')[1] for line in lines if line.startswith("include:"))
    files = sorted(
        path.relative_to(workspace.folder).as_posix()
        for path in (workspace.folder / "workflow" / "rules").glob("*.smk")
    )
    assert included == files
