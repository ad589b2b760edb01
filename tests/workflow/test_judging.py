"""The rules of judging, run for real against a local endpoint: killed half-way, repeated, searched for the key."""

import copy
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from crane.artefacts import read_jsonl
from support.judge_server import Server
from support.workspace import Workspace, plain

KEY = "sk-local-7f3a9c-never-to-be-seen"
LANGUAGES = {"en": 800, "zh": 100, "vi": 100}
ANSWERS = {
    "en": "This is answer number {} to the question that was asked here.",
    "zh": "这是对第{}个问题的回答。",
    "vi": "Đây là câu trả lời thứ {} cho câu hỏi được nêu ra ở đây.",
}
CONCURRENCY = 8


def study(demo: dict[str, Any], server: Server) -> dict[str, Any]:
    config = plain(demo)
    config["study"] = "judged"
    config["mask_sets"] = {"crane": config["mask_sets"]["crane"]}
    config["transfer_models"] = []
    del config["models"]["chat"]
    config["judges"] = {
        "gpt": {
            "kind": "openai", "label": "GPT", "model": "judge-1", "base_url": server.base_url, "prompt": "mtbench",
            "output": "text", "max_tokens": 200, "attempts": 3, "temperature": 0, "seed": 0, "timeout": 2,
            "key_variable": "JUDGE_KEY", "concurrency": CONCURRENCY, "price": {"input": 2.5, "output": 10},
        },
        "reference": config["judges"]["reference"],
    }  # fmt: skip
    return config


def write_answers(workspace: Workspace, mask_set: str, masks: list[str], changed: set[int]) -> None:
    """Write the answers of a model as `generate_answers` would; under a mask some are equal to the original's."""
    for language, count in LANGUAGES.items():
        path = workspace.results / "generations" / "base" / mask_set / f"{language}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            for mask in masks:
                for n in range(count):
                    spoken = "en" if mask == language and n in changed and language != "en" else language
                    text = ANSWERS[spoken].format(n + 10_000 * (n in changed and mask == language))
                    record = {
                        "model": "base", "mask_set": mask_set, "mask_language": mask, "language": language,
                        "question_id": n, "question": f"Question {n}?", "reference": text, "prompt": "Q",
                        "output": text, "finish_reason": "stop",
                    }  # fmt: skip
                    file.write(json.dumps(record, ensure_ascii=False) + "\n")


class Judged(Workspace):
    """A workspace whose answers exist; only the rules of judging may run."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "JUDGE_KEY": KEY}

    def command(self, *arguments: str) -> list[str]:
        allowed = ["ask_judge", "parse_judgements", "compare_judges", "count_judge_usage"]
        return super().command(*arguments, "--allowed-rules", *allowed, "--cores", "2")

    def judgements(self, judge: str, mask_set: str = "original") -> list[str]:
        return [f"results/judged/judgements/{judge}/base/{mask_set}/{code}.jsonl" for code in LANGUAGES]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(key=KEY, faults=0.1, stubborn=0.01, delay=0.02, loose_tongue=True) as running:
        yield running


@pytest.fixture(scope="module")
def workspace(
    tmp_path_factory: pytest.TempPathFactory, demo_config: dict[str, Any], server: Server
) -> Judged:
    made = Judged(tmp_path_factory.mktemp("judged"), study(demo_config, server))
    write_answers(made, "original", ["none"], set())
    write_answers(made, "crane", list(LANGUAGES), set(range(5)))
    return made


def test_a_killed_run_is_continued_and_asks_only_what_is_missing(workspace: Judged, server: Server) -> None:
    target = workspace.judgements("gpt")
    with subprocess.Popen(
        workspace.command(*target), cwd=workspace.folder, env=workspace.environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as run:  # fmt: skip
        end = time.monotonic() + 120
        while server.stats()["answered"] < 300:
            assert time.monotonic() < end and run.poll() is None
            time.sleep(0.02)
        os.killpg(run.pid, signal.SIGKILL)
    killed = server.stats()
    assert 300 <= killed["answered"] < 900
    assert not (workspace.results / "judgements").exists()
    workspace.run("--unlock")
    workspace.run(*target)
    stats = server.stats()
    # What was in flight when the job was killed may have been answered without being stored; nothing else.
    twice = stats["answered"] - stats["answered_bodies"]
    assert twice <= CONCURRENCY, stats
    judged = [record for path in target for record in read_jsonl(workspace.folder / path)]
    assert len(judged) == 1000
    assert all((j["score"] is None) == bool(j["reason"]) for j in judged)
    assert 900 < sum(j["score"] is not None for j in judged) < 1000
    replies = {r["key"] for j in judged for r in j["replies"]}
    assert len(replies) == stats["answered_bodies"]


def test_a_second_run_and_lost_results_send_nothing(workspace: Judged, server: Server) -> None:
    before = server.stats()["requests"]
    target = workspace.judgements("gpt")
    assert "Nothing to be done" in workspace.run(*target).stderr
    responses = workspace.results / "responses" / "gpt" / "base" / "original"
    stored = {path.name: path.read_bytes() for path in responses.iterdir()}
    for path in responses.iterdir():
        path.unlink()
    workspace.run(*target, *(path.replace("judgements", "responses") for path in target))
    assert {path.name: path.read_bytes() for path in responses.iterdir()} == stored
    assert server.stats()["requests"] == before


def test_equal_answers_under_masks_are_judged_once(workspace: Judged, server: Server) -> None:
    before = server.stats()["answered_bodies"]
    workspace.run(*workspace.judgements("gpt", "crane"))
    records = [
        r for path in workspace.judgements("gpt", "crane") for r in read_jsonl(workspace.folder / path)
    ]
    assert len(records) == 3 * 1000
    changed = [r for r in records if r["mask_language"] == r["language"] and r["question_id"] < 5]
    new = {(r["language"], r["question"], r["output"]) for r in changed}
    asked = server.stats()["answered_bodies"] - before
    assert len(new) <= asked <= 3 * len(new)


def test_another_study_pays_nothing_for_equal_answers(workspace: Judged, server: Server) -> None:
    before = server.stats()["requests"]
    config = copy.deepcopy(workspace.config)
    config["study"] = "another"
    (workspace.folder / "results" / "another").mkdir()
    (workspace.folder / "results" / "another" / "generations").symlink_to(workspace.results / "generations")
    workspace.configure(config)
    try:
        workspace.run("results/another/judgements/gpt/base/crane/vi.jsonl")
    finally:
        workspace.configure(workspace.config)
    assert server.stats()["requests"] == before


def test_answers_in_another_language_are_told(workspace: Judged) -> None:
    for language in LANGUAGES:
        judged = read_jsonl(workspace.results / "judgements" / "gpt" / "base" / "crane" / f"{language}.jsonl")
        for record in judged:
            switched = record["mask_language"] == language and record["question_id"] < 5
            assert record["answer_language"] == ("en" if switched else language)


def test_two_judges_are_compared_and_their_usage_counted(workspace: Judged, server: Server) -> None:
    workspace.run("results/judged/tables/judge_agreement.csv", "results/judged/tables/judge_usage.csv")
    agreement = pd.read_csv(workspace.results / "tables" / "judge_agreement.csv")
    assert agreement["language"].tolist() == ["all", "en", "zh", "vi"]
    assert agreement["answers"].tolist() == [4000, 3200, 400, 400]
    usage = pd.read_csv(workspace.results / "tables" / "judge_usage.csv").iloc[0]
    stats = server.stats()
    assert usage["replies"] == stats["answered_bodies"]
    assert usage["answers"] == 4000 and usage["distinct_answers"] < 1100
    assert usage["completion_tokens"] == 20 * stats["answered_bodies"]
    assert usage["cost"] == pytest.approx(usage["prompt_tokens"] * 2.5e-6 + usage["completion_tokens"] * 1e-5)
    text = (workspace.results / "tables" / "judge_usage.txt").read_text(encoding="utf-8")
    assert "GPT (judge-1, prompt mtbench)" in text and "without a score: " in text


def test_the_key_stands_nowhere(workspace: Judged) -> None:
    """Although the endpoint repeats it in every error and every reply: no log, result, store or metadata has it."""
    files = [path for path in workspace.folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".sqlite" for path in files) and any(path.suffix == ".log" for path in files)
    assert any(".snakemake" in path.parts for path in files)
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert b"[key]" in Path(workspace.folder / "results" / "judgements.sqlite").read_bytes()


def test_a_refused_key_is_one_line_without_it(workspace: Judged, demo_config: dict[str, Any]) -> None:
    with Server(key="another", loose_tongue=True) as strict:
        config = study(demo_config, strict)
        workspace.configure(config)
        try:
            done = workspace.run(*workspace.judgements("gpt"), "--forcerun", "ask_judge", check=False)
        finally:
            workspace.configure(workspace.config)
    output = done.stdout + done.stderr
    assert done.returncode != 0 and KEY not in output
    assert "error: judge at http://127.0.0.1" in output and "HTTP 401: Incorrect API key: [key]" in output
