"""Wrong inputs, models and settings of the reduced demo study are told, and leave nothing half-made."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from crane.artefacts import read_jsonl
from crane.models.loading import load_model
from support.reduced_study import LANGUAGES
from support.workspace import Workspace, plain

pytestmark = pytest.mark.slow


def _error_of(study: Workspace, *arguments: str) -> str:
    done = study.run(*arguments, check=False)
    assert done.returncode != 0
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("error: ")]
    assert len(set(lines)) == 1, done.stdout[-3000:] + done.stderr[-3000:]
    assert not list(study.results.rglob("*.partial"))
    return lines[0]


def test_what_no_weight_can_express_is_not_exported(study: Workspace) -> None:
    message = _error_of(study, "results/reduced/exports/base/dispersion-mean/en")
    assert "'dispersion-mean' sets neurons to their mean value" in message


def test_an_altered_shard_is_refused(study: Workspace) -> None:
    shard = study.results / "relevance" / "base" / "vi" / "0.safetensors"
    original = shard.read_bytes()
    damaged = bytearray(original)
    damaged[-8] ^= 1
    table = "results/reduced/kurtosis/base/layer-3.parquet"
    try:
        shard.write_bytes(damaged)
        message = _error_of(study, table, "--forcerun", "reduce_kurtosis")
        assert "vi/0.safetensors: layer 3 does not match its checksum" in message
        shard.write_bytes(original[: len(original) // 2])
        message = _error_of(study, table, "--forcerun", "reduce_kurtosis")
        assert "vi/0.safetensors: not a readable relevance shard" in message
    finally:
        shard.write_bytes(original)
    study.run(table)


@pytest.fixture
def local_study(study: Workspace, tmp_path: Path) -> Iterator[tuple[Workspace, dict[str, Any]]]:
    """A study on local files: the trained base model's folder and small files of one's own."""
    model = tmp_path / "model"
    model.mkdir()
    for path in (study.results / "models" / "base").iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    config = plain(study.config)
    config["study"] = "broken"
    config["transfer_models"] = []
    config["models"] = {"base": {**config["models"]["base"], "source": "local", "path": str(model)}}
    config["corpora"].update(
        source="local", column="text", documents=20, shards=1,
        files={code: str(study.results / "generated" / code / "documents.jsonl") for code in LANGUAGES},
    )  # fmt: skip
    workspace = copy.copy(study)
    workspace.config = config
    try:
        yield workspace, config
    finally:
        study.configure(study.config)


def test_a_corpus_with_too_few_documents_is_refused(
    local_study: tuple[Workspace, dict[str, Any]], tmp_path: Path
) -> None:
    workspace, config = local_study
    (tmp_path / "few.txt").write_text("One.\n\nTwo.\nTwo.\n", encoding="utf-8")
    config["corpora"]["files"]["vi"] = str(tmp_path / "few.txt")
    workspace.configure(config)
    message = _error_of(workspace, "results/broken/corpora/base/vi.parquet")
    assert "corpus of 'vi': 2 documents give 0 samples of 24 tokens" in message


def test_a_model_without_tokenizer_is_refused(local_study: tuple[Workspace, dict[str, Any]]) -> None:
    workspace, config = local_study
    (Path(config["models"]["base"]["path"]) / "tokenizer.json").unlink()
    workspace.configure(config)
    message = _error_of(workspace, "results/broken/corpora/base/en.parquet")
    assert "no tokenizer" in message


def test_a_model_with_nan_weights_is_refused(local_study: tuple[Workspace, dict[str, Any]]) -> None:
    workspace, config = local_study
    folder = Path(config["models"]["base"]["path"])
    model = load_model(folder)
    with torch.no_grad():
        model.model.layers[2].mlp.up_proj.weight[3, 5] = torch.nan
    model.save_pretrained(folder)
    workspace.configure(config)
    message = _error_of(workspace, "results/broken/relevance/base/en/0.safetensors")
    assert "NaN" in message or "nan" in message


def test_a_question_with_a_wrong_label_is_refused(
    local_study: tuple[Workspace, dict[str, Any]], tmp_path: Path
) -> None:
    workspace, config = local_study
    questions = read_jsonl(workspace.folder / "results" / "reduced" / "generated" / "en" / "benchmark.jsonl")
    questions[3]["answer"] = 4
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text("".join(json.dumps(q) + "\n" for q in questions), encoding="utf-8")
    config["benchmarks"]["quiz_en"]["data"] = str(wrong)
    workspace.configure(config)
    message = _error_of(workspace, "results/broken/prompts/base/quiz_en.parquet")
    assert "wrong.jsonl, line 4: 'answer' 4 is none of its 4 choices" in message


def test_an_empty_selection_names_the_language_and_the_highest_score(study: Workspace) -> None:
    config = copy.deepcopy(study.config)
    config["mask_sets"]["strict"] = {
        "label": "Strict", "method": "crane", "normalise": "layer", "rule": "contrast", "threshold": 99,
    }  # fmt: skip
    study.configure(config)
    try:
        message = _error_of(study, "results/reduced/masks/base/strict.parquet")
    finally:
        study.configure(study.config)
    assert re.search(r"language 'en': .*threshold 99.* highest score is \d", message)
    assert not (study.results / "masks" / "base" / "strict.parquet").exists()


def test_a_wrong_configuration_stops_before_anything_runs(study: Workspace) -> None:
    config = copy.deepcopy(study.config)
    config["mask_sets"]["crane"]["normalize"] = "layer"
    study.configure(config)
    try:
        done = study.run(check=False)
    finally:
        study.configure(study.config)
    assert done.returncode != 0
    assert "mask_sets.crane: unknown key 'normalize'" in done.stdout + done.stderr
    assert "did you mean 'normalise'?" in done.stdout + done.stderr
