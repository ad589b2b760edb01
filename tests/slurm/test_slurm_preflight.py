"""`snakemake preflight` and `preflight_gpu` with the cluster's profile, on a cluster."""

from pathlib import Path
from typing import Any

import pytest
from support.cluster import Cluster
from support.killing import wait_for
from support.slurm_study import SlurmWorkspace, small

CHECKS = {
    "disk", "partitions", "selection null", "models.base", "environment relevance", "environment evaluation",
    "environment analysis",
}  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path, demo_config: dict[str, Any], cluster: Cluster) -> SlurmWorkspace:
    return SlurmWorkspace(tmp_path, small(demo_config), cluster)


def adapt(workspace: SlurmWorkspace, old: str, new: str) -> None:
    """Change the workspace's profile, as a user would."""
    profile = workspace.folder / "profiles" / "slurm" / "config.yaml"
    text = profile.read_text(encoding="utf-8")
    assert text.count(old) == 1
    profile.write_text(text.replace(old, new), encoding="utf-8")


def lines_of(output: str) -> dict[str, str]:
    """Return what the printed checks say, by their names; every one is printed once."""
    lines = [line for line in output.splitlines() if line.startswith(("ok    ", "FAIL  "))]
    found = {line[6:].partition(":")[0]: line for line in lines}
    assert len(found) == len(lines)
    return found


def test_the_partitions_of_the_profile_are_those_of_the_cluster(workspace: SlurmWorkspace) -> None:
    before = workspace.cluster.jobs()
    lines = lines_of(workspace.run("preflight").stdout)
    assert lines.keys() == CHECKS
    assert all(line.startswith("ok    ") for line in lines.values())
    assert lines["partitions"] == "ok    partitions: cpu, gpu"
    assert workspace.cluster.jobs() == before  # nothing was submitted


def test_a_wrong_partition_is_told_once_and_at_once(workspace: SlurmWorkspace) -> None:
    adapt(workspace, "gpu_partition: gpu\n", "gpu_partition: a100\n")
    failed = workspace.run("preflight", check=False)
    assert failed.returncode != 0
    lines = lines_of(failed.stdout)
    assert {name for name, line in lines.items() if line.startswith("FAIL")} == {"partitions"}
    assert "there is no partition a100; there are: cpu, gpu; correct profiles/slurm" in lines["partitions"]
    assert "Missing files" not in failed.stdout + failed.stderr  # what the profile's retries would end in


def test_the_gpu_job_is_one_and_two_gpus_are_two_of_one_node(workspace: SlurmWorkspace) -> None:
    """With one GPU free on each node SLURM would spread a job of two over both."""
    adapt(workspace, "  check_gpu:\n    <<: *gpu\n", "  check_gpu:\n    <<: *gpu\n    gpu: 2\n")
    cluster = workspace.cluster
    occupying = cluster.occupy("gpu1", 2)
    before = set(cluster.jobs())
    log = workspace.folder / "run.log"

    def submitted() -> list[dict[str, str]]:
        return [job for name, job in cluster.jobs().items() if name not in before]

    with workspace.start("preflight_gpu", log=log) as driver:
        try:
            wait_for(lambda: any(job["Reason"] == "Resources" for job in submitted()), 60, "a job that waits")
            assert [job["JobState"] for job in submitted()] == ["PENDING"]
        finally:
            cluster.cancel(occupying)
        assert driver.wait(timeout=180) != 0  # the GPUs are pretended: the check itself fails
    (job,) = submitted()
    found = {key: job[key] for key in ("JobState", "Partition", "NodeList", "NumNodes", "TresPerJob")}
    assert found == {
        "JobState": "COMPLETED", "Partition": "gpu", "NodeList": "gpu1", "NumNodes": "1", "TresPerJob": "gres:gpu:2",
    }  # fmt: skip
    output = log.read_text(errors="replace")
    assert "FAIL  gpu: PyTorch sees no GPU on this node" in output
    assert "Missing files" not in output
