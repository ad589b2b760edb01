"""The demo study in a reduced form, run for real: what its tables say, and what happens when things break."""

import copy
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from crane.artefacts import read_jsonl, read_table
from crane.interventions import masked
from crane.metrics import langspec_f1
from crane.models import load_model, load_tokenizer
from crane.neurons import NeuronSet
from workspace import Workspace

LANGUAGES = ["en", "zh", "vi"]
MASK_SETS = ["crane", "dispersion", "random-0", "random-1"]
pytestmark = pytest.mark.slow


def reduced(demo: dict[str, Any]) -> dict[str, Any]:
    """Half of the training, fewer texts and mask sets: four minutes instead of eight."""
    config = copy.deepcopy(demo)
    config["study"] = "reduced"
    config["demo"]["data"].update(documents=3000, identification=400, benchmark=60, questions=8)
    config["demo"]["pretraining"].update(steps=700, batch_size=8, learning_rate=4.0e-3)
    config["demo"]["finetuning"].update(steps=30, batch_size=8)
    config["corpora"].update(documents=300)
    config["relevance"].update(batch_size=2)  # slow enough to be killed half-way
    config["mask_sets"] = {name: config["mask_sets"][name] for name in ("crane", "dispersion", "random")}
    config["mask_sets"]["random"]["seeds"] = 2
    config["scores"]["resamples"] = 2000
    return config


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, demo_config: dict[str, Any]) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("study"), reduced(demo_config))
    workspace.run()
    return workspace


# What the results say ---------------------------------------------------------------------------------


def test_a_second_run_does_nothing(study: Workspace) -> None:
    done = study.run()
    assert "Nothing to be done" in done.stdout + done.stderr
    assert not list(study.results.rglob("*.partial"))


def test_the_model_knows_its_world(study: Workspace) -> None:
    scores = read_table(study.results / "scores.parquet")
    original = scores[(scores["mask_set"] == "original") & (scores["kind"] == "nlu")]
    assert len(original) == 2 * len(LANGUAGES)
    assert (original["score"] > 0.45).all(), original[["model", "benchmark", "score"]]  # chance is 0.25
    assert (original["n"] == 60).all()


def test_scores_follow_from_the_answers(study: Workspace) -> None:
    scores = read_table(study.results / "scores.parquet").set_index(
        ["model", "mask_set", "mask_language", "benchmark"]
    )
    checked = 0
    for path in (study.results / "benchmarks").rglob("*.parquet"):
        answers = read_table(path)
        for key, group in answers.groupby(["model", "mask_set", "mask_language", "benchmark"]):
            assert scores.loc[key, "score"] == pytest.approx(group["correct"].mean())
            assert scores.loc[key, "probability"] == pytest.approx(group["probability"].mean())
            best = group["loglikelihoods"].map(np.argmax)
            share = group["loglikelihoods"].map(lambda v: np.exp(v - v.max()) / np.exp(v - v.max()).sum())
            assert ((group["probability"] > 0.5) <= (group["correct"] == 1)).all()
            assert (share.map(lambda s: s.max()) >= group["probability"] - 1e-5).all()
            assert best.between(0, 3).all()
            checked += 1
    for path in (study.results / "judgements").rglob("*.jsonl"):
        judged = pd.DataFrame(read_jsonl(path))
        assert judged["score"].between(1, 10).all()
        for key, group in judged.groupby(["model", "mask_set", "mask_language"]):
            assert scores.loc[(*key, f"open_{path.stem}"), "score"] == pytest.approx(group["score"].mean())
            checked += 1
    assert checked == len(scores) == 2 * (1 + 3 * len(MASK_SETS)) * 2 * len(LANGUAGES)


def test_langspec_f1_follows_from_the_scores(study: Workspace) -> None:
    scores = read_table(study.results / "scores.parquet")
    results = read_table(study.results / "langspec_f1.parquet")
    assert len(results) == 2 * 2 * 3 * len(MASK_SETS)
    for row in results.itertuples():
        rows = scores[(scores["model"] == row.model) & (scores["suite"] == row.suite)]
        before = rows[rows["mask_set"] == "original"].set_index("language")["score"].to_dict()
        after = rows[(rows["mask_set"] == row.mask_set) & (rows["mask_language"] == row.mask_language)]
        expected = langspec_f1(before, after.set_index("language")["score"].to_dict(), row.mask_language)
        assert row.f1 == pytest.approx(expected.f1)
        assert row.low - 1e-9 <= row.high
        assert row.distinguishable == (row.target_drop_low > 0 or row.target_drop_high < 0)


def test_table_1_prints_the_scores(study: Workspace) -> None:
    scores = read_table(study.results / "scores.parquet")
    markdown = (study.results / "tables" / "table1.md").read_text(encoding="utf-8")
    lines = [
        [cell.strip() for cell in line.split("|")] for line in markdown.splitlines() if line.startswith("|")
    ]
    printed = {(cells[1], cells[2]): cells[4:7] for cells in lines}
    names = {"original": "Original", "crane": "CRANE", "dispersion": "Dispersion (ours)"}
    own = scores[(scores["model"] == "base") & (scores["suite"] == "quiz")]
    for (mask_set, mask_language), rows in own.groupby(["mask_set", "mask_language"]):
        if mask_set in names:
            shown = rows.set_index("language")["score"].loc[LANGUAGES].map("{:.4f}".format).tolist()
            assert printed[names[mask_set], "–" if mask_language == "none" else mask_language] == shown
    assert "Random (2 seeds)" in markdown and "Dispersion (ours)" in markdown
    assert "not an LLM" in (study.results / "tables" / "table2.md").read_text(encoding="utf-8")


def test_every_method_masks_the_same_budget(study: Workspace) -> None:
    counts = {
        name: NeuronSet.read_parquet(study.results / "masks" / "base" / f"{name}.parquet").counts()
        for name in MASK_SETS
    }
    for name, table in counts.items():
        assert (table.sum(axis=1) == round(0.1 * 4 * 256)).all(), name
    for seed in ("random-0", "random-1"):
        pd.testing.assert_frame_equal(counts[seed], counts["crane"])


def test_lape_takes_over_the_counts_of_crane(study: Workspace, demo_config: dict[str, Any]) -> None:
    config = copy.deepcopy(study.config)
    config["mask_sets"]["lape_matched"] = demo_config["mask_sets"]["lape_matched"]
    study.configure(config)
    try:
        study.run("results/reduced/masks/base/lape_matched.parquet")
    finally:
        study.configure(study.config)
    neurons = NeuronSet.read_parquet(study.results / "masks" / "base" / "lape_matched.parquet")
    assert (neurons.counts().sum(axis=1) == round(0.1 * 4 * 256)).all()


def test_a_stored_answer_is_what_the_masked_model_says(study: Workspace) -> None:
    """Recompute one question under one mask by hand: chat model, masks of the base model."""
    answers = read_table(study.results / "benchmarks" / "chat" / "dispersion" / "quiz.parquet")
    row = answers[(answers["mask_language"] == "zh") & (answers["benchmark"] == "quiz_zh")].iloc[7]
    question = read_jsonl(study.results / "generated" / "zh" / "benchmark.jsonl")[row["doc_id"]]
    model, tokenizer = (load(study.results / "models" / "chat") for load in (load_model, load_tokenizer))
    neurons = NeuronSet.read_parquet(study.results / "masks" / "base" / "dispersion.parquet")
    prompt = tokenizer(f"Q: {question['question']}\nA:").input_ids
    with masked(model, neurons, "zh"), torch.no_grad():
        for choice, stored in zip(question["choices"], row["loglikelihoods"], strict=True):
            ids = torch.tensor([tokenizer(f"Q: {question['question']}\nA: {choice}").input_ids])
            logprobs = model(ids).logits[0].log_softmax(-1)
            own = sum(float(logprobs[t - 1, ids[0, t]]) for t in range(len(prompt), ids.shape[1]))
            assert own == pytest.approx(float(stored), abs=1e-4)


def test_relevance_is_recorded_with_its_self_test(study: Workspace) -> None:
    log = (study.results / "logs" / "attribute_relevance" / "base" / "vi" / "1.log").read_text()
    assert "self-test: relevance is not conserved inside an MLP" in log
    assert re.search(r"torch 2\.13\.0.*lxt 2\.1", log)
    table = read_table(study.results / "kurtosis" / "base" / "layer-2.parquet")
    assert table.groupby("language")["count"].first().to_dict() == dict.fromkeys(LANGUAGES, 300)
    z = table.groupby("language")["z"]
    assert z.mean().abs().max() < 1e-9 and (z.std(ddof=0) - 1).abs().max() < 1e-9


def test_the_notebook_example_of_the_readme_runs(study: Workspace) -> None:
    readme = (study.folder / "README.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len(code) == 1
    names: dict[str, Any] = {}
    exec(code[0].replace("results/demo", str(study.results)), names)
    assert names["relevance"].shape == (2, 4, 256)
    assert names["moments"].n == 2


# Faults -------------------------------------------------------------------------------------------------


def _wait_for(condition: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the job never reached the point where it was to be killed"
        time.sleep(0.005)


def _script_processes(script: str, driver: int) -> Iterator[int]:
    """Yield the interpreters that run a script under one Snakemake process."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if (
            words[-2:-1]
            and words[-2].endswith(script)
            and "python" in words[0]
            and _descends(int(entry.name), driver)
        ):
            yield int(entry.name)


def _descends(pid: int, ancestor: int) -> bool:
    while pid > 1:
        if pid == ancestor:
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False


def _killed(study: Workspace, target: Path, log: Path, mark: str, script: str) -> None:
    """Make `target` anew and kill its job, and Snakemake, once the log contains `mark`."""
    target.unlink()
    log.unlink()
    arguments = study.command(str(target.relative_to(study.folder)), "--cores", "1")
    with subprocess.Popen(
        arguments,
        cwd=study.folder,
        env=study.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as driver:
        _wait_for(lambda: log.exists() and mark in log.read_text(errors="replace"), 120)
        jobs = list(_script_processes(script, driver.pid))
        assert jobs, "the job had ended before it was killed"
        driver.send_signal(signal.SIGKILL)
        for pid in jobs:
            os.kill(pid, signal.SIGKILL)
    assert not target.exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the job's process through /proc")
def test_a_killed_relevance_job_is_made_again_bit_by_bit(study: Workspace) -> None:
    shard = study.results / "relevance" / "base" / "zh" / "0.safetensors"
    undisturbed = shard.read_bytes()
    log = study.results / "logs" / "attribute_relevance" / "base" / "zh" / "0.log"
    _killed(study, shard, log, "token/s", "attribute_relevance.py")
    study.run("--unlock")
    study.run(str(shard.relative_to(study.folder)))
    assert shard.read_bytes() == undisturbed


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the job's process through /proc")
def test_a_killed_benchmark_job_is_made_again_with_equal_answers(study: Workspace) -> None:
    answers = study.results / "benchmarks" / "base" / "crane" / "quiz.parquet"
    undisturbed = read_table(answers)
    log = study.results / "logs" / "run_benchmarks" / "base" / "crane" / "quiz.log"
    _killed(study, answers, log, "mask en: quiz_en", "run_benchmarks.py")
    study.run("--unlock")
    study.run(str(answers.relative_to(study.folder)))
    pd.testing.assert_frame_equal(read_table(answers), undisturbed)


def _error_of(study: Workspace, *arguments: str) -> str:
    done = study.run(*arguments, check=False)
    assert done.returncode != 0
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("error: ")]
    assert len(set(lines)) == 1, done.stdout[-3000:] + done.stderr[-3000:]
    assert not list(study.results.rglob("*.partial"))
    return lines[0]


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
    config = copy.deepcopy(study.config)
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
    assert "corpus of 'vi': 2 usable documents, 20 are configured" in message


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
    message = _error_of(workspace, "results/broken/benchmarks/base/original/quiz.parquet")
    assert "question 3" in message and "label 4" in message


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
