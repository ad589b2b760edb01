"""The rules of judging, run for real against a local endpoint: killed half-way, repeated, searched for the key."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from crane.artefacts import read_jsonl, write_table
from support.judge_server import Server
from support.workspace import Workspace, plain

# One story, in the order of the tests: killed, continued, counted.
KEY = "sk-local-7f3a9c-never-to-be-seen"
LANGUAGES = {"en": 800, "zh": 100, "vi": 100}
ANSWERS = {
    "en": "This is answer number {} to the question that was asked here.",
    "zh": "这是对第{}个问题的回答。",
    "vi": "Đây là câu trả lời thứ {} cho câu hỏi được nêu ra ở đây.",
}
CONCURRENCY = 8
CHANGED = 5
"""Answers that differ from the original's in a language under its own mask; the others are all equal."""
DISTINCT = sum(LANGUAGES.values()) + CHANGED * len(LANGUAGES)
ALL = sum(LANGUAGES.values()) * (1 + len(LANGUAGES))
JUDGEMENTS = "results/judged/judgements/{judge}/base.jsonl"
TARGET = JUDGEMENTS.format(judge="gpt")


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


def write_answers(workspace: Workspace, mask_set: str, masks: list[str]) -> None:
    """Write the answers of a model as `collect_answers` would; under a mask most are equal to the original's."""
    records = []
    for mask in masks:
        for language, count in LANGUAGES.items():
            for n in range(count):
                changed = mask == language and n < CHANGED
                text = ANSWERS["en" if changed else language].format(n + 10_000 * changed)
                records.append(
                    {
                        "model": "base", "mask_set": mask_set, "mask_language": mask, "language": language,
                        "question_id": n, "question": f"Question {n}?", "reference": text, "prompt": "Q",
                        "output": text, "finish_reason": "stop",
                    }
                )  # fmt: skip
    path = workspace.results / "evaluations" / "base" / mask_set / "open.parquet"
    write_table(pd.DataFrame(records), path, {})


class Judged(Workspace):
    """A workspace whose answers exist; only the rules of judging may run."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "JUDGE_KEY": KEY}

    def command(self, *arguments: str) -> list[str]:
        allowed = ["ask_judge", "parse_judgements", "tabulate_judge_agreement", "tabulate_judge_usage"]
        return super().command(*arguments, "--allowed-rules", *allowed, "--cores", "2")

    def judged(self, judge: str) -> list[dict[str, Any]]:
        return read_jsonl(self.folder / JUDGEMENTS.format(judge=judge))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(key=KEY, faults=0.1, stubborn=0.01, delay=0.02, loose_tongue=True) as running:
        yield running


@pytest.fixture(scope="module")
def workspace(
    tmp_path_factory: pytest.TempPathFactory, demo_config: dict[str, Any], server: Server
) -> Judged:
    made = Judged(tmp_path_factory.mktemp("judged"), study(demo_config, server))
    write_answers(made, "original", ["none"])
    write_answers(made, "crane", list(LANGUAGES))
    return made


def test_a_killed_run_is_continued_and_asks_only_what_is_missing(workspace: Judged, server: Server) -> None:
    with subprocess.Popen(
        workspace.command(TARGET), cwd=workspace.folder, env=workspace.environment(), start_new_session=True,
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
    workspace.run(TARGET)
    stats = server.stats()
    # What was in flight when the job was killed may have been answered without being stored; nothing else.
    twice = stats["answered"] - stats["answered_bodies"]
    assert twice <= CONCURRENCY, stats
    judged = workspace.judged("gpt")
    assert len(judged) == ALL
    assert all((j["score"] is None) == bool(j["reason"]) for j in judged)
    replies = {reply["key"] for j in judged for reply in j["replies"]}
    assert len(replies) == stats["answered_bodies"]


def test_equal_answers_under_masks_are_judged_once(workspace: Judged, server: Server) -> None:
    judged = workspace.judged("gpt")
    answers = {(j["language"], j["question"], j["output"]) for j in judged}
    assert len(answers) == DISTINCT
    # Each is asked at most three times: the study's `attempts`, where a reply has no score.
    assert DISTINCT <= server.stats()["answered_bodies"] <= DISTINCT * 1.1
    replies: dict[tuple[str, str, str], set[str]] = {}
    for j in judged:
        keys = {reply["key"] for reply in j["replies"]}
        assert replies.setdefault((j["language"], j["question"], j["output"]), keys) == keys
    scores = [j["score"] is not None for j in judged if j["mask_set"] == "original"]
    assert 900 < sum(scores) < 1000


def test_a_second_run_and_lost_results_send_nothing(workspace: Judged, server: Server) -> None:
    before = server.stats()["requests"]
    assert "Nothing to be done" in workspace.run(TARGET).stderr
    responses = workspace.results / "responses" / "gpt" / "base.jsonl"
    stored = responses.read_bytes()
    responses.unlink()
    workspace.run(TARGET, responses.relative_to(workspace.folder).as_posix())
    assert responses.read_bytes() == stored
    assert server.stats()["requests"] == before


def test_another_study_pays_nothing_for_equal_answers(workspace: Judged, server: Server) -> None:
    before = server.stats()["requests"]
    (workspace.folder / "results" / "another").mkdir()
    (workspace.folder / "results" / "another" / "evaluations").symlink_to(workspace.results / "evaluations")
    with workspace.configured(lambda config: config.update(study="another")):
        workspace.run(TARGET.replace("judged", "another", 1))
    assert server.stats()["requests"] == before


def test_answers_in_another_language_are_told(workspace: Judged) -> None:
    for record in workspace.judged("gpt"):
        switched = record["mask_language"] == record["language"] and record["question_id"] < CHANGED
        assert record["answer_language"] == ("en" if switched else record["language"])


def test_two_judges_are_compared_and_their_usage_counted(workspace: Judged, server: Server) -> None:
    workspace.run("results/judged/tables/judge_agreement.csv", "results/judged/tables/judge_usage.csv")
    agreement = pd.read_csv(workspace.results / "tables" / "judge_agreement.csv")
    assert agreement["language"].tolist() == ["all", "en", "zh", "vi"]
    assert agreement["answers"].tolist() == [4000, 3200, 400, 400]
    usage = pd.read_csv(workspace.results / "tables" / "judge_usage.csv").iloc[0]
    stats = server.stats()
    assert usage["replies"] == stats["answered_bodies"]
    assert usage["answers"] == 4000 and usage["distinct_answers"] == DISTINCT
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
    with (
        Server(key="another", loose_tongue=True) as strict,
        workspace.configured(lambda config: config.update(study(demo_config, strict))),
    ):
        done = workspace.run(TARGET, "--forcerun", "ask_judge", check=False)
    output = done.stdout + done.stderr
    assert done.returncode != 0 and KEY not in output
    assert "error: judge at http://127.0.0.1" in output and "HTTP 401: Incorrect API key: [key]" in output
