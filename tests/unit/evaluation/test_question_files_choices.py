"""Files of multiple-choice questions: what can be asked is read as it is, and what cannot is named with its line."""

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from crane.artefacts import write_jsonl
from crane.evaluation.question_files import QuestionError, read_choice_questions
from crane.texts.decoding import TextError
from hypothesis import given
from hypothesis import strategies as st

CHOICES, LETTERS = "question_with_choices", "question_with_letters"
GOOD = {"question": "2 + 2?", "choices": ["3", "4", "5", "6"], "answer": 1}


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({"question": None}, "'question' is null"),
        ({"question": " "}, "'question' is empty"),
        ({"question": "\u200b"}, "'question' is empty"),
        ({"question": 7}, r"'question' is a number \(7\), not text"),
        ({"choices": "A,B"}, "'choices' is text, not a list of texts"),
        ({"choices": {"text": ["a", "b"]}}, "'choices' is an object, not a list of texts"),
        ({"choices": None}, "'choices' is null, not a list of texts"),
        ({"choices": [3, 4, 5, 6]}, r"choice 0 is a number \(3\), not text; write it in quotes"),
        ({"choices": ["3", 4.5, "5", "6"]}, r"choice 1 is a number \(4\.5\), not text"),
        ({"choices": ["3", "4", None, "6"]}, "choice 2 is null, not text"),
        ({"choices": ["3", "4", "5", ["6"]]}, "choice 3 is a list, not text"),
        ({"choices": ["a", "", "c", "d"]}, "choice 1 is empty"),
        ({"choices": ["a", "b", " ", "d"]}, "choice 2 is empty"),
        ({"choices": ["a", "b", "\ufeff", "d"]}, "choice 2 is empty"),
        ({"choices": ["a\ud83d", "b", "c", "d"]}, r"'choices' holds \\ud83d, half of a surrogate pair"),
        ({"answer": 4}, "'answer' 4 is none of its 4 choices; write a whole number from 0 to 3"),
        ({"answer": -1}, "'answer' -1 is none of its 4 choices"),
        ({"answer": 1.0}, r"'answer' is a number \(1\.0\); write 1"),
        ({"answer": 1.5}, r"'answer' is a number \(1\.5\); write a whole number from 0 to 3"),
        ({"answer": True}, r"'answer' is a boolean \(true\); write a whole number"),
        ({"answer": None}, "'answer' is null; write a whole number"),
        ({"answer": [1]}, "'answer' is a list; write a whole number"),
        ({"answer": "0"}, "'answer' '0' is text; write the number without quotes"),
        ({"answer": "Paris"}, "'answer' 'Paris' is none of its 4 choices"),
    ],
)
@pytest.mark.parametrize("task", [CHOICES, LETTERS])
def test_a_question_that_cannot_be_asked_names_file_and_line(
    tmp_path: Path, task: str, edits: dict[str, Any], expected: str
) -> None:
    path = tmp_path / "quiz.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n{json.dumps({**GOOD, **edits})}\n")
    with pytest.raises(TextError, match=rf"quiz\.jsonl, line 2: {expected}"):
        read_choice_questions(path, task)


@pytest.mark.parametrize("missing", ["question", "choices", "answer"])
@pytest.mark.parametrize("task", [CHOICES, LETTERS])
def test_a_missing_field_is_told_with_those_that_are_there(tmp_path: Path, task: str, missing: str) -> None:
    there = {key: value for key, value in GOOD.items() if key != missing}
    path = tmp_path / "quiz.jsonl"
    write_jsonl([GOOD, there], path)
    with pytest.raises(QuestionError, match=rf"line 2: no field '{missing}'; there are: {', '.join(there)}"):
        read_choice_questions(path, task)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 6])
def test_letters_need_as_many_choices_as_the_prompt_lists(tmp_path: Path, count: int) -> None:
    path = tmp_path / "q.jsonl"
    write_jsonl([{**GOOD, "choices": list("abcdefgh")[:count], "answer": 0}], path)
    with pytest.raises(
        QuestionError, match=rf"{count} choices, but the task asks for exactly 4 \(A, B, C, D\)"
    ):
        read_choice_questions(path, LETTERS)
    if count < 2:
        with pytest.raises(QuestionError, match=rf"{count} choices?; at least two are needed"):
            read_choice_questions(path, CHOICES)
    else:
        assert len(read_choice_questions(path, CHOICES)) == 1


def test_choices_that_are_scored_themselves_must_differ(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    write_jsonl([{**GOOD, "choices": ["3", "4", "3", "6"]}], path)
    with pytest.raises(QuestionError, match=r"line 1: choices repeat \('3'\)"):
        read_choice_questions(path, CHOICES)
    assert len(read_choice_questions(path, LETTERS)) == 1


def test_answers_of_a_file_are_of_one_kind(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    write_jsonl([GOOD, {**GOOD, "answer": "4"}], path)
    with pytest.raises(QuestionError, match=r"line 2: 'answer' is text, unlike those before"):
        read_choice_questions(path, CHOICES)


@pytest.mark.parametrize(
    ("answers", "line"),
    [(["1"], 1), (["0"], 1), (["3", "1"], 2), (["2", "0"], 2), (["2", "2", "1", "2"], 3)],
)
def test_numbers_in_quotes_that_name_two_choices_are_not_guessed(
    tmp_path: Path, answers: list[str], line: int
) -> None:
    """The text 1 is the choice number 0 here, and the choice number 1 has the text 0."""
    path = tmp_path / "q.jsonl"
    choices = ["1", "0", "2", "3"]
    write_jsonl([{"question": "q", "choices": choices, "answer": answer} for answer in answers], path)
    with pytest.raises(QuestionError, match=rf"line {line}: 'answer' '\d' may be the number .* or its text"):
        read_choice_questions(path, CHOICES)


@pytest.mark.parametrize("other", [["Paris", "Rome"], ["10", "20"]])
def test_one_answer_that_is_no_number_of_a_choice_shows_that_all_are_texts(
    tmp_path: Path, other: list[str]
) -> None:
    path = tmp_path / "q.jsonl"
    doubtful = {"question": "q", "choices": ["1", "0"], "answer": "1"}
    clear = {"question": "r", "choices": other, "answer": other[0]}
    for questions in ([doubtful, clear], [clear, doubtful]):
        write_jsonl(questions, path)
        assert read_choice_questions(path, CHOICES) == questions


@given(st.integers(2, 9), st.integers(-3, 12), st.booleans())
def test_a_label_is_allowed_exactly_if_it_is_one_of_the_choices(
    tmp_path_factory: pytest.TempPathFactory, count: int, answer: int, as_text: bool
) -> None:
    choices = [f"choice {number}" for number in range(count)]
    label = f"choice {answer}" if as_text else answer
    path = tmp_path_factory.mktemp("label") / "q.jsonl"
    write_jsonl([{"question": "q", "choices": choices, "answer": label}], path)
    if 0 <= answer < count:
        assert read_choice_questions(path, CHOICES)[0]["answer"] == label
    else:
        with pytest.raises(QuestionError, match="none of its"):
            read_choice_questions(path, CHOICES)


@pytest.mark.parametrize("text", ["", "\n\n", "[]", "[\n]\n"])
def test_an_empty_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "q.json").write_text(text)
    with pytest.raises(QuestionError, match=r"q\.json: no questions"):
        read_choice_questions(tmp_path / "q.json", CHOICES)


@pytest.mark.parametrize(("ending", "delimiter"), [(".csv", ","), (".tsv", "\t")])
def test_a_table_holds_choices_as_a_json_list(tmp_path: Path, ending: str, delimiter: str) -> None:
    path = tmp_path / f"q{ending}"

    def write(*rows: tuple[str, str, str]) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=delimiter).writerows([("question", "choices", "answer"), *rows])

    write(("?", '["2", "4", "1"]', "1"))
    with pytest.raises(QuestionError, match="line 2: 'answer' 1 may be"):
        read_choice_questions(path, CHOICES)
    write(("2 + 2?", json.dumps(GOOD["choices"]), "1"), ("?", '["a", "b", "c", "d"]', "0"))
    assert [q["answer"] for q in read_choice_questions(path, LETTERS)] == [1, 0]
    assert read_choice_questions(path, CHOICES)[0] == GOOD
    write(("2 + 2?", "3|4|5|6", "1"))
    with pytest.raises(QuestionError, match="line 2: 'choices' must be a JSON list"):
        read_choice_questions(path, CHOICES)


def test_records_of_other_tasks_are_read_as_they_are(tmp_path: Path) -> None:
    records = [{"premise": "p", "label": 0}, {"premise": "q", "label": None}]
    path = tmp_path / "q.jsonl"
    write_jsonl(records, path)
    assert read_choice_questions(path, "xnli_vi") == records
    path.write_text('{"premise": "\\ud83d"}\n')
    with pytest.raises(TextError, match="'premise' holds"):
        read_choice_questions(path, "xnli_vi")


def test_values_that_json_cannot_hold_are_told(tmp_path: Path) -> None:
    pd.DataFrame([{**GOOD, "date": pd.Timestamp("2020-01-01")}]).to_parquet(tmp_path / "q.parquet")
    with pytest.raises(QuestionError, match=r"q\.parquet, row 1: 'date' is \w+; give it as text"):
        read_choice_questions(tmp_path / "q.parquet", CHOICES)
