"""One cluster, one small study run on it (with an interruption) and on this machine alone."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from support.cluster import Cluster, obstacle
from support.killing import wait_for
from support.slurm_study import LANGUAGES, SHARDS, SlurmWorkspace, Study, small
from support.workspace import Workspace


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    reason = obstacle()
    if reason:
        pytest.skip(reason)
    with Cluster() as running:
        yield running


@pytest.fixture(scope="session")
def study(
    cluster: Cluster,
    started: tuple[Workspace, subprocess.Popen[bytes]],
    demo_config: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Study:
    """Run the study; interrupt the driver while relevance is measured, then run it to its end."""
    workspace = SlurmWorkspace(tmp_path_factory.mktemp("slurm"), small(demo_config), cluster)
    log = workspace.folder / "first.log"

    with workspace.start(log=log) as driver:

        def relevance_runs() -> bool:
            assert driver.poll() is None, log.read_text(errors="replace")[-6000:]
            states = [job["JobState"] for job in workspace.jobs_of("attribute_relevance")]
            return len(states) == SHARDS * len(LANGUAGES) and "RUNNING" in states

        try:
            wait_for(relevance_runs, 400, "relevance jobs that run")
        finally:
            driver.send_signal(signal.SIGINT)
        assert driver.wait(timeout=120) != 0
    interrupted = set(cluster.squeue("--states", "pending,running"))
    partial = list(workspace.results.rglob("*.partial"))
    workspace.run()
    results = tmp_path_factory.mktemp("finished") / workspace.results.name
    shutil.copytree(workspace.results, results)
    jobs = list(cluster.jobs().values())
    third = workspace.run()
    return Study(workspace, results, jobs, interrupted, partial, third.stdout + third.stderr)


@pytest.fixture(scope="session")
def started(
    cluster: Cluster, demo_config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Workspace, subprocess.Popen[bytes]]]:
    """Start the same study without a cluster: it runs while the other waits for SLURM."""
    workspace = Workspace(tmp_path_factory.mktemp("local"), small(demo_config))
    with (
        (workspace.folder / "run.log").open("wb") as log,
        subprocess.Popen(
            workspace.command(), cwd=workspace.folder, env=workspace.environment(), stdout=log, stderr=log
        ) as run,
    ):
        yield workspace, run
        run.send_signal(signal.SIGINT)  # does nothing when it has ended


@pytest.fixture(scope="session")
def local(started: tuple[Workspace, subprocess.Popen[bytes]]) -> Workspace:
    """Return the same study, run without a cluster."""
    workspace, run = started
    assert run.wait(timeout=600) == 0, (workspace.folder / "run.log").read_text()[-6000:]
    return workspace
