"""Checks before anything is submitted: each that can fail does, with what to do."""

import copy
import socket
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from crane.artefacts import write_json, write_table
from crane.preflight import machine, sources
from crane.preflight.checks import Check, PreflightError, make, read_checks, render, write_checks
from crane.preflight.environment import environment
from crane.study.check import SCHEMA
from crane.study.study import Study


@pytest.fixture
def local(tmp_path: Path, model_folder: Path) -> dict[str, Any]:
    """A study of local files, all there."""
    config = yaml.safe_load((SCHEMA.parents[2] / "config" / "demo.yaml").read_text(encoding="utf-8"))
    for name in config["models"]:
        config["models"][name] = {
            "label": name, "source": "local", "path": str(model_folder), "layers": 3, "intermediate_size": 48,
            "parameters": 1e5,
        }  # fmt: skip
    del config["demo"]
    config["mask_sets"] = {
        name: {**s, "budget": {"count": 5}} if "budget" in s else s for name, s in config["mask_sets"].items()
    }
    for language in config["languages"]:
        for name in (f"{language}.txt", f"{language}.jsonl"):
            (tmp_path / name).write_text("text\n", encoding="utf-8")
    files = {language: str(tmp_path / f"{language}.txt") for language in config["languages"]}
    config["corpora"] |= {"source": "local", "files": files, "column": "text"}
    config["open_questions"] |= {"source": "local", "files": copy.deepcopy(files)}
    for benchmark in config["benchmarks"].values():
        benchmark["data"] = str(tmp_path / f"{benchmark['language']}.jsonl")
    return config


@pytest.fixture
def paper() -> dict[str, Any]:
    """The paper's study, whose models, data sets and corpora are the hub's."""
    return yaml.safe_load((SCHEMA.parents[2] / "config" / "config.yaml").read_text(encoding="utf-8"))


def _failed(config: dict[str, Any]) -> dict[str, str]:
    return {check.name: check.text for check in make(sources.sources(Study(config))) if not check.passed}


def test_what_is_there_passes(local: dict[str, Any]) -> None:
    checks = make(sources.sources(Study(local)))
    assert all(check.passed for check in checks), render(checks)
    assert {check.name for check in checks} >= {"models.base", "corpora.vi", "open_questions.files.zh"}


def test_a_missing_model_corpus_question_file_and_benchmark_are_named(
    local: dict[str, Any], tmp_path: Path
) -> None:
    local["models"]["chat"]["path"] = str(tmp_path / "nowhere")
    for name in ("en.txt", "vi.jsonl"):
        (tmp_path / name).unlink()
    failed = _failed(local)
    assert set(failed) == {"models.chat", "corpora.en", "open_questions.files.en", "benchmarks.quiz_vi.data"}
    assert "no such model folder" in failed["models.chat"]


def test_a_model_of_another_shape_fails(local: dict[str, Any]) -> None:
    for model in local["models"].values():
        model["layers"] = 4
    assert "has 3 layers of 48 neurons" in _failed(local)["models.base"]


def test_whatever_a_check_raises_is_its_line_and_the_others_are_told() -> None:
    def unforeseen() -> str:
        raise subprocess.TimeoutExpired("sinfo", 30)

    def damaged() -> str:
        raise OSError("not a\n  valid file")

    checks = make([("one", unforeseen), ("two", damaged), ("three", lambda: "fine")])
    assert checks == [
        Check("one", False, "TimeoutExpired: Command 'sinfo' timed out after 30 seconds"),
        Check("two", False, "OSError: not a valid file"),
        Check("three", True, "fine"),
    ]


def test_a_model_whose_configuration_is_damaged_fails(
    local: dict[str, Any], model_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    for path in model_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "config.json").write_text('{"model_type": "lla')
    local["models"]["chat"]["path"] = str(folder)
    assert "no readable config.json" in _failed(local)["models.chat"]


# Downloaded, or to be downloaded ------------------------------------------------------------------------


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Whose access was checked, in an empty folder; every repository has 2.5 GB."""
    asked: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sources, "check_access", lambda repository, *_: asked.append(repository) or 2.5e9)
    monkeypatch.setattr(sources, "check_url", lambda url: asked.append(url) or 1000)
    return asked


def _text(config: dict[str, Any], name: str) -> str:
    return dict(sources.sources(Study(config)))[name]()


def test_what_was_downloaded_is_believed_at_its_own_pin_only(
    paper: dict[str, Any], offered: list[str]
) -> None:
    for section, name in (("models", "base"), ("datasets", "mmlu")):
        pin = paper[section][name]
        repository, revision = pin["repository"], pin["revision"]
        assert _text(paper, f"{section}.{name}") == f"{repository} at {revision[:12]}, 2.50 GB to download"
        folder = f"{Study(paper).results}/{section}/{name}"
        Path(folder).mkdir(parents=True)
        write_json(
            {"source": repository, "revision": revision, "commit": revision}, f"{folder}/manifest.json"
        )
        offered.clear()
        assert _text(paper, f"{section}.{name}") == f"{folder}, downloaded"
        assert not offered
        pin["revision"] = "0" * 40
        anew = f"{repository} at 000000000000, 2.50 GB to download anew: {folder} is {repository} at {revision[:12]}"
        assert _text(paper, f"{section}.{name}") == anew
        assert offered == [repository]
        pin.update(repository="another/one", revision=revision)
        assert _text(paper, f"{section}.{name}").startswith(
            f"another/one at {revision[:12]}, 2.50 GB to download anew"
        )


def test_a_local_model_that_becomes_one_of_the_hub_is_downloaded(
    paper: dict[str, Any], offered: list[str]
) -> None:
    folder = f"{Study(paper).results}/models/base"
    Path(folder).mkdir(parents=True)
    write_json({"source": "/models/llama", "sha256": {}}, f"{folder}/manifest.json")
    assert _text(paper, "models.base").endswith(f"to download anew: {folder} is /models/llama")


def test_a_pool_of_documents_is_believed_as_it_was_drawn_only(
    paper: dict[str, Any], offered: list[str]
) -> None:
    study = Study(paper)
    drawn = study.pick("corpora.column", "corpora.max_files", "corpora.pool", "corpora.seed")
    assert "of which at most 8 files are read" in _text(paper, "corpora.vi")
    path = Path(study.documents("vi"))
    params = {"pin": study.corpus_files("vi"), "corpus": drawn}
    write_table(pd.DataFrame({"text": ["a"]}), path, {"params": params})
    offered.clear()
    assert _text(paper, "corpora.vi") == f"{path}, downloaded"
    assert not offered
    for key, value in {"revision": "0" * 40, "pool": 30000}.items():
        changed = copy.deepcopy(paper)
        changed["corpora"][key] = value
        assert f"anew: {path} was drawn from others, or otherwise" in _text(changed, "corpora.vi")
    assert offered == ["wikimedia/wikipedia"] * 2


def test_without_a_network_every_download_says_so(
    local: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    local["open_questions"]["files"]["en"] = {"url": "http://127.0.0.1:9/en.txt", "sha256": "0" * 64}
    assert "connection to 127.0.0.1:9" in _failed(local)["open_questions.files.en"]
    path = Path(Study(local).questions("en"))
    path.parent.mkdir(parents=True)
    path.touch()
    assert not _failed(local)


def test_a_judge_without_a_key_fails(local: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    local["judges"] = {
        "gpt": {"kind": "openai", "label": "GPT", "model": "m", "prompt": "crane", "output": "text",
                "max_tokens": 10, "attempts": 1, "key_variable": "OPENAI_API_KEY", "base_url": "http://127.0.0.1:9/v1"}
    }  # fmt: skip
    (check,) = make(sources.judges(Study(local)))
    assert not check.passed and "OPENAI_API_KEY is not set" in check.text


def test_a_judge_that_does_not_answer_is_not_waited_for(
    local: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none-of-your-business")
    monkeypatch.setattr(sources, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        local["judges"] = {
            "gpt": {"kind": "openai", "label": "GPT", "model": "m", "prompt": "crane", "output": "text",
                    "max_tokens": 10, "attempts": 1, "key_variable": "OPENAI_API_KEY",
                    "base_url": f"http://127.0.0.1:{silent.getsockname()[1]}/v1"}
        }  # fmt: skip
        start = time.monotonic()
        (check,) = make(sources.judges(Study(local)))
    assert not check.passed and "no reply within 0.2 s" in check.text
    assert time.monotonic() - start < 10  # six more attempts would take longer: their pauses grow


def test_modules_that_cannot_be_imported_are_named() -> None:
    assert environment(["torch", "numpy"]).startswith("torch ")
    with pytest.raises(PreflightError, match=r"cannot import no_such_module"):
        environment(["numpy", "no_such_module"])


def test_a_full_disk_fails(local: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert "GB free" in machine.disk(Study(local))
    local["corpora"]["documents"] = 10**12
    with pytest.raises(PreflightError, match="free some space"):
        machine.disk(Study(local))


def test_what_a_stage_has_written_need_not_find_room_again(
    paper: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def free(gigabytes: float) -> None:
        monkeypatch.setattr(
            machine.shutil, "disk_usage", lambda _: SimpleNamespace(free=int(gigabytes * 1e9))
        )

    monkeypatch.chdir(tmp_path)
    study = Study(paper)
    free(20)
    with pytest.raises(PreflightError, match=r"20 GB free, about 28\.9 GB still needed"):
        machine.disk(study)
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
    assert machine.disk(study) == "20 GB free, about 11.8 GB still needed"
    free(11)
    with pytest.raises(PreflightError, match="free some space"):
        machine.disk(study)


def test_a_controller_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired("sinfo", 30)

    monkeypatch.setattr(machine.shutil, "which", lambda _: "sinfo")
    monkeypatch.setattr(machine.subprocess, "run", hang)
    with pytest.raises(PreflightError, match="sinfo does not answer within 30 s"):
        machine.partitions({"run_benchmarks": "gpu"})


# GPU ----------------------------------------------------------------------------------------------------


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


def test_a_gpu_must_hold_the_weights_of_every_stage(
    paper: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bfloat16 = 2 * 6.74e9
    assert machine.gpu_loads(Study(paper)) == {
        "relevance": (bfloat16, "auto"), "evaluation": (bfloat16, "auto"),
    }  # fmt: skip
    paper["evaluation"]["dtype"] = "float32"
    loads = machine.gpu_loads(Study(paper))
    assert loads["evaluation"] == (2 * bfloat16, "float32")
    Card(monkeypatch, 80, True)
    assert machine.gpu(loads) == "Card, 80 GB"
    Card(monkeypatch, 24, True)
    with pytest.raises(PreflightError, match="24 GB: evaluation: the model's weights alone take 27 GB"):
        machine.gpu(loads)
    paper["evaluation"]["gpus"] = 2  # each holds half of it
    assert machine.gpu(machine.gpu_loads(Study(paper))) == "Card, 24 GB"


def test_a_gpu_that_emulates_bfloat16_fails_where_it_is_asked_for(
    paper: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    Card(monkeypatch, 32, False)
    with pytest.raises(
        PreflightError, match=r"no bfloat16; set relevance\.dtype and evaluation\.dtype to float32"
    ):
        machine.gpu(machine.gpu_loads(Study(paper)))
    paper["relevance"]["dtype"] = "float32"
    with pytest.raises(PreflightError, match=r"no bfloat16; set evaluation\.dtype to float32"):
        machine.gpu(machine.gpu_loads(Study(paper)))
    paper["evaluation"]["dtype"] = "float32"
    assert machine.gpu(machine.gpu_loads(Study(paper))) == "Card, 32 GB"


def test_partitions_are_compared_with_those_of_the_cluster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PreflightError, match="no sinfo here"):
        machine.partitions({"run_benchmarks": "gpu"})
    sinfo = tmp_path / "sinfo"
    sinfo.write_text("#!/bin/sh\necho cpu\necho gpu\n")
    sinfo.chmod(0o755)
    assert machine.partitions({"run_benchmarks": "gpu", "reduce_kurtosis": "cpu"}) == "cpu, gpu"
    with pytest.raises(
        PreflightError, match="rule run_benchmarks: there is no partition a100; there are: cpu, gpu"
    ):
        machine.partitions({"run_benchmarks": "gpu,a100"})


def test_checks_survive_the_way_through_a_file(tmp_path: Path) -> None:
    checks = [Check("one", True, "fine"), Check("two", False, "do this")]
    write_checks(checks, tmp_path / "checks.json")
    assert read_checks(tmp_path / "checks.json") == checks
    assert render(checks) == "ok    one: fine\nFAIL  two: do this"
