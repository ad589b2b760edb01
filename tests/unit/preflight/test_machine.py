"""Disk, partitions and GPU: each check that can fail does, with what to do."""

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from crane.preflight.checks import PreflightError
from crane.preflight.machine import disk, gpu, partitions
from crane.study.study import Study


def test_a_full_disk_fails(local: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert "GB free" in disk(Study(local))
    local["corpora"]["documents"] = 10**12
    with pytest.raises(PreflightError, match="free some space"):
        disk(Study(local))


def test_what_a_stage_has_written_need_not_find_room_again(
    paper: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def free(gigabytes: float) -> None:
        monkeypatch.setattr(
            "crane.preflight.machine.shutil.disk_usage", lambda _: SimpleNamespace(free=int(gigabytes * 1e9))
        )

    monkeypatch.chdir(tmp_path)
    study = Study(paper)
    free(20)
    with pytest.raises(PreflightError, match=r"20 GB free, about 30\.5 GB still needed"):
        disk(study)
    for path, gigabytes in {
        "models/base/model.safetensors": 13.48,
        "models/.chat.f5db.download/.model.safetensors.download": 3.0,
        "relevance/base/en/0.safetensors": 4.0,  # more than the stage's estimate: counts no other stage's down
        "logs/large.log": 5.0,  # of no stage
    }.items():
        file = Path(study.results, path)
        file.parent.mkdir(parents=True)
        with file.open("wb") as sparse:
            sparse.truncate(int(gigabytes * 1e9))
    (Path(study.results) / "models" / "linked").symlink_to(tmp_path / study.results / "logs" / "large.log")
    assert disk(study) == "20 GB free, about 12.2 GB still needed"
    free(11)
    with pytest.raises(PreflightError, match="free some space"):
        disk(study)


def test_a_controller_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired("sinfo", 30)

    monkeypatch.setattr("crane.preflight.machine.shutil.which", lambda _: "sinfo")
    monkeypatch.setattr("crane.preflight.machine.subprocess.run", hang)
    with pytest.raises(PreflightError, match="sinfo does not answer within 30 s"):
        partitions({"evaluate_masks_base_0": "gpu"}, {})


class Card:
    """A GPU as PyTorch describes it."""

    def __init__(self, patch: pytest.MonkeyPatch, gigabytes: float, bfloat16: bool) -> None:
        properties = SimpleNamespace(name="Card", total_memory=int(gigabytes * 1e9))
        patch.setattr(torch.cuda, "is_available", lambda: True)
        patch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
        # As PyTorch's: any card since Volta emulates it.
        patch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or bfloat16
        )


WHOLE = "relevance: batches of 8,192 tokens through the whole model"


def test_a_gpu_must_hold_what_evaluation_and_relevance_take(
    paper: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    paper["evaluation"]["dtype"] = "float32"
    Card(monkeypatch, 80, True)
    assert gpu(Study(paper)) == f"Card, 80 GB; {WHOLE}"
    Card(monkeypatch, 24, True)
    with pytest.raises(PreflightError, match="24 GB: evaluation: the model's weights alone take 27 GB"):
        gpu(Study(paper))
    paper["evaluation"]["gpus"] = 2  # each holds half of it
    assert gpu(Study(paper)).startswith("Card, 24 GB; relevance: batches of 2,0")
    paper["evaluation"]["gpus"] = 16
    Card(monkeypatch, 12, True)
    assert gpu(Study(paper)).startswith("Card, 12 GB; relevance: layer sweeps of ")
    Card(monkeypatch, 2, True)
    with pytest.raises(
        PreflightError, match=r"2 GB: relevance of one sample of 512 tokens takes .* even layer by layer"
    ):
        gpu(Study(paper))


def test_a_gpu_that_emulates_bfloat16_fails_where_it_is_asked_for(
    paper: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    Card(monkeypatch, 64, False)
    with pytest.raises(
        PreflightError, match=r"no bfloat16; set relevance\.dtype and evaluation\.dtype to float32"
    ):
        gpu(Study(paper))
    paper["relevance"]["dtype"] = "float32"
    with pytest.raises(PreflightError, match=r"no bfloat16; set evaluation\.dtype to float32"):
        gpu(Study(paper))
    paper["evaluation"]["dtype"] = "float32"
    assert gpu(Study(paper)).startswith("Card, 64 GB; relevance: batches of ")


def test_partitions_are_compared_with_those_of_the_cluster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PreflightError, match="no sinfo here"):
        partitions({"evaluate_masks_base_0": "gpu"}, {})
    sinfo = tmp_path / "sinfo"
    sinfo.write_text("#!/bin/sh\necho cpu\necho gpu\n")
    sinfo.chmod(0o755)
    assert partitions({"evaluate_masks_base_0": "gpu", "reduce_kurtosis": "cpu"}, {}) == "cpu, gpu"
    with pytest.raises(
        PreflightError, match="rule evaluate_masks_base_0: there is no partition a100; there are: cpu, gpu"
    ):
        partitions({"evaluate_masks_base_0": "gpu,a100"}, {})


@pytest.mark.parametrize(
    ("limit", "runtime", "fits"),
    [
        ("1-00:00:00", 1440, True), ("1-00:00:00", 1441, False), ("1-00:00:00", 86400, False),
        ("1-00:00:00", "attempt * 720", True), ("12:00:00", "attempt * 720", True),
        ("12:00:00", "attempt * 721", False), ("12:00:00", "721 * attempt", False), ("30:00", 30, True),
        ("30:00", 31, False), ("infinite", 10**6, True), ("n/a", 10**6, True), ("30:00", None, True),
        ("30:00", "input.size_mb * 2", True), ("", 10**6, True),
    ],
)  # fmt: skip
def test_runtimes_are_compared_with_what_the_partition_allows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str, runtime: Any, fits: bool
) -> None:
    sinfo = tmp_path / "sinfo"
    sinfo.write_text(f"#!/bin/sh\necho cpu infinite\necho gpu {limit}\necho short 10:00\n")
    sinfo.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for named in ("gpu", "short,gpu"):  # SLURM takes the one that allows it
        asked = {"evaluate_masks_base_0": named}, {"evaluate_masks_base_0": runtime, "all": 10**9}
        if fits:
            assert "gpu" in partitions(*asked)
        else:
            with pytest.raises(
                PreflightError, match=r"rule evaluate_masks_base_0: runtime .* hours, but partition"
            ):
                partitions(*asked)
