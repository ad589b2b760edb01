"""Every published input does what docs/inputs.md says of it, and every line of that page has a case."""

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from crane.judging.interface import JudgeError
from crane.judging.store import JudgementStore
from crane.judging.verdicts import read_reply
from support import reported_inputs as reported
from support.asking import KEY, ask, records
from support.failed_checks import failures
from support.judge_server import Server
from support.pauses import shorten
from support.places import ROOT
from support.reported_cases import CASES
from support.reported_inputs import Outcome

PAGE = ROOT / "docs" / "inputs.md"


def page() -> dict[tuple[str, str], tuple[str, str]]:
    """Return (section, input) -> (what happens, when) of the page."""
    rows, section = {}, ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        section = line.removeprefix("## ") if line.startswith("## ") else section
        if line.startswith("| ") and not line.startswith("| input"):
            what, happens, when = (cell.strip() for cell in line.strip("|").split("|"))
            assert (section, what) not in rows, what
            rows[section, what] = (happens, when)
    return rows


def patterns(happens: str) -> list[str]:
    """Return the messages that a cell quotes, in which … is any text, as regular expressions."""
    quoted = re.findall(r"``(.+?) ``|`(.+?)`", happens)
    return [".*".join(map(re.escape, (double or single).split("…"))) for double, single in quoted]


SURROUNDINGS = {
    "a locale that is not UTF-8": (
        "workflow/test_surroundings.py::test_files_and_logs_are_utf8_whatever_the_locale"
    ),
    "an interpreter under a path with a space": (
        "workflow/test_surroundings.py::test_an_interpreter_under_a_path_with_a_space_is_told_at_once"
    ),
    "an account of digits only in the SLURM profile (00123)": (
        "unit/study/test_yaml_files.py::test_no_site_has_a_partition_called_true"
    ),
    "a study without open questions or without benchmarks": (
        "workflow/test_optional_sections.py::test_a_study_of_one_kind_runs_to_its_end"
    ),
    "a special token that a text writes out (`<s>`)": (
        "unit/corpora/test_chunks.py::test_special_tokens_that_a_text_writes_are_text_and_counted"
    ),
    "a folder among the files that a pattern matches": (
        "unit/texts/test_files.py::test_folders_among_matches_are_left_out_unless_named_like_a_file"
    ),
    "a chat template that does not render a question": (
        "unit/models/test_tokenizers.py::test_a_template_that_does_not_render_is_told"
    ),
    "a chat template that asks for today's date, or for thinking": (
        "unit/evaluation/test_open_questions.py::test_a_template_gets_the_date_of_the_study_or_none"
    ),
    "thoughts before a model's answer": (
        "unit/evaluation/test_collect.py::test_thoughts_are_kept_beside_the_answers"
    ),
    "an endpoint that refuses max_completion_tokens or the system role": (
        "unit/judging/test_asking.py::test_an_endpoint_that_knows_less_is_asked_in_its_dialect"
    ),
    "HTTP 401 to 404, or no quota": (
        "unit/judging/test_asking.py::test_a_status_that_all_requests_would_get_ends_the_job_at_once"
    ),
    "an untied model without output layer": (
        "unit/models/test_tensors.py::test_an_untied_model_without_output_layer_is_told_the_key"
    ),
}
"""Input, as the page words it -> the test that makes it."""
ROWS = [
    (section, what, case) for section, rows in CASES.items() for what, cases in rows.items() for case in cases
]


@pytest.fixture
def inputs(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the published configurations are relative to, as the working directory."""
    monkeypatch.chdir(real_data / "inputs")
    return Path()


@pytest.fixture
def outcome_of(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Outcome]:
    """Return what happens with a case: a path, and maybe how it is used."""
    monkeypatch.setenv("JUDGE_KEY", KEY)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.setattr("crane.judging.online.RETRIES", 2)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.02)
    shorten(monkeypatch, "crane.judging.batch", "crane.judging.endpoint")

    def of(case: str) -> Outcome:
        path, _, how = case.partition(" ")
        folder, _, name = path.partition("/")
        if how in ("overlong", "context"):
            return getattr(reported, how)(name)
        if folder == "judge":
            return _reply(name, how) if name == "replies.jsonl" else _body(name, how, tmp_path)
        kinds: dict[str, Callable[[], Outcome]] = {
            "benchmarks": lambda: reported.benchmark(name, how),
            "configs": lambda: reported.configuration(name),
            "corpora": lambda: reported.corpus(name),
            "masks": lambda: reported.masks(name),
            "models": lambda: reported.model(name, tmp_path / "linked"),
            "questions": lambda: reported.questions(name, how),
            "slurm": lambda: reported.profile(Path(path)),
        }
        return kinds[folder]()

    return of


def _reply(name: str, how: str) -> Outcome:
    lines = Path("judge", name).read_text(encoding="utf-8").splitlines()
    (reply,) = [reply for reply in map(json.loads, lines) if reply["name"] == how]
    verdict = read_reply(
        {"text": reply["text"], "finish_reason": "stop"}, {"kind": "openai", **reply}, "Paris."
    )
    assert verdict.score == (8 if how == "end_token_shown" else 7)
    return Outcome([], "reply")


def _body(name: str, how: str, folder: Path) -> Outcome:
    body = json.loads(Path("judge", name).read_text(encoding="utf-8"))[how]
    with JudgementStore(folder / "judgements.sqlite") as store, Server(body=body) as server:
        try:
            (verdict,), _ = ask(server, store, records(1), output="text")
        except JudgeError as error:
            return Outcome([str(error)], "reply")
        assert server.stats()["requests"] == 1
    return Outcome([] if verdict.score == 7 else [str(verdict.reason)], "reply")


@pytest.mark.parametrize(("section", "what", "case"), ROWS, ids=[case for *_, case in ROWS])
def test_an_input_does_what_the_page_says(outcome_of: Any, section: str, what: str, case: str) -> None:
    happens, when = page()[section, what]
    expected = patterns(happens)
    found = outcome_of(case)
    assert found.when == when, found
    assert bool(found.lines) == bool(expected), found
    for line in found.lines:
        assert "\n" not in line and any(re.fullmatch(pattern, line) for pattern in expected), (line, expected)


def test_each_message_of_the_page_is_that_of_a_case(outcome_of: Callable[[str], Outcome]) -> None:
    said: dict[tuple[str, str], list[str]] = {}
    for section, what, case in ROWS:
        if patterns(page()[section, what][0])[1:]:
            said.setdefault((section, what), []).extend(outcome_of(case).lines)
    assert len(said) > 5
    for row, lines in said.items():
        for pattern in patterns(page()[row][0]):
            assert any(re.fullmatch(pattern, line) for line in lines), (row, pattern)


def test_the_page_and_the_cases_have_the_same_lines() -> None:
    assert set(page()) == {(section, what) for section, what, _ in ROWS} | {
        ("Surroundings", what) for what in SURROUNDINGS
    }


@pytest.mark.parametrize("what", SURROUNDINGS)
def test_surroundings_have_tests_of_their_own(what: str) -> None:
    file, _, name = SURROUNDINGS[what].partition("::")
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    assert name in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def _files_of(config: dict[str, Any]) -> set[str]:
    """Return the files that a study names."""
    listed = [config["corpora"]["files"], config["open_questions"]["files"]]
    files = {path for table in listed for path in table.values()}
    return files | {benchmark["data"] for benchmark in config["benchmarks"].values()}


def test_no_input_is_forgotten(inputs: Path) -> None:
    """Every file is a case, belongs to the folder of a model that is one, or to a study that passes."""
    cases = {case.partition(" ")[0] for *_, case in ROWS} | {"configs/broken.yaml"}
    for name in ("base", "brackets"):
        cases |= _files_of(yaml.safe_load(Path("configs", f"{name}.yaml").read_text(encoding="utf-8")))
    names = {path.as_posix() for path in inputs.rglob("*") if path.is_file()}
    models = {"/".join(name.split("/")[:2]) for name in names if name.startswith("models/")}
    assert {name for name in names if not name.startswith("models/")} | models == cases & (names | models)
    for name in ("replies.jsonl", "bodies.json"):
        text = Path("judge", name).read_text(encoding="utf-8")
        kept = (
            json.loads(text)
            if name == "bodies.json"
            else [json.loads(line)["name"] for line in text.splitlines()]
        )
        assert {case for *_, case in ROWS if case.startswith(f"judge/{name} ")} == {
            f"judge/{name} {one}" for one in kept
        }


def test_a_study_with_eight_faulty_inputs_has_a_line_for_each(inputs: Path) -> None:
    config = yaml.safe_load(Path("configs/broken.yaml").read_text(encoding="utf-8"))
    assert failures(reported.sources, config).keys() == {
        "models.base", "corpora.en", "corpora.zh", "corpora.vi", "open_questions.files.zh", "open_questions.files.vi",
        "benchmarks.quiz_en.data", "benchmarks.quiz_zh.data",
    }  # fmt: skip
