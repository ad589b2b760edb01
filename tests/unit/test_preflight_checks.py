"""Checks before anything is submitted: each that can fail does, with what to do."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from crane import preflight
from crane.config import SCHEMA
from crane.preflight import Check, environment, make, partitions, read_checks, render, write_checks
from crane.study import Study


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


def _failed(config: dict[str, Any]) -> dict[str, str]:
    return {check.name: check.text for check in make(preflight.sources(Study(config))) if not check.passed}


def test_what_is_there_passes(local: dict[str, Any]) -> None:
    checks = make(preflight.sources(Study(local)))
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
                "max_tokens": 10, "attempts": 1, "base_url": "http://127.0.0.1:9/v1"}
    }  # fmt: skip
    (check,) = make(preflight.judges(Study(local)))
    assert not check.passed and "OPENAI_API_KEY is not set" in check.text


def test_modules_that_cannot_be_imported_are_named() -> None:
    assert environment(["torch", "numpy"]).startswith("torch ")
    with pytest.raises(preflight.PreflightError, match=r"cannot import no_such_module"):
        environment(["numpy", "no_such_module"])


def test_a_full_disk_fails(local: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert "GB free" in preflight.disk(Study(local))
    local["corpora"]["documents"] = 10**12
    with pytest.raises(preflight.PreflightError, match="free some space"):
        preflight.disk(Study(local))


def test_partitions_are_compared_with_those_of_the_cluster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(preflight.PreflightError, match="no sinfo here"):
        partitions({"run_benchmarks": "gpu"})
    sinfo = tmp_path / "sinfo"
    sinfo.write_text("#!/bin/sh\necho cpu\necho gpu\n")
    sinfo.chmod(0o755)
    assert partitions({"run_benchmarks": "gpu", "reduce_kurtosis": "cpu"}) == "cpu, gpu"
    with pytest.raises(
        preflight.PreflightError, match="rule run_benchmarks: there is no partition a100; there are: cpu, gpu"
    ):
        partitions({"run_benchmarks": "gpu,a100"})


def test_checks_survive_the_way_through_a_file(tmp_path: Path) -> None:
    checks = [Check("one", True, "fine"), Check("two", False, "do this")]
    write_checks(checks, tmp_path / "checks.json")
    assert read_checks(tmp_path / "checks.json") == checks
    assert render(checks) == "ok    one: fine\nFAIL  two: do this"
