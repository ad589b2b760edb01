"""Files of open questions: what can be asked is read as it is, and what cannot is named with its line."""

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from crane.artefacts import write_jsonl
from crane.evaluation.question_files import QuestionError, read_open_questions
from crane.texts.decoding import TextError


def test_questions_are_read_as_they_are(tmp_path: Path) -> None:
    questions = [{"question": "Thủ đô?", "reference": "Hà Nội"}, {"question": "为什么?", "id": 7}]
    lines = [json.dumps(q, ensure_ascii=False) for q in questions]
    (tmp_path / "vi.jsonl").write_text("\n\n".join(lines), encoding="utf-8")
    assert read_open_questions(tmp_path / "vi.jsonl") == questions


@pytest.mark.parametrize("ending", [".json", ".csv", ".tsv", ".parquet", ".jsonl.gz"])
def test_every_format_holds_the_same_questions(tmp_path: Path, ending: str) -> None:
    questions = [
        {"question": "Thủ đô, ở đâu?", "reference": "Hà Nội"},
        {"question": '"为什么"?', "reference": "x"},
    ]
    path = tmp_path / f"q{ending}"
    if ending == ".json":
        path.write_text(json.dumps(questions, indent=1), encoding="utf-8")
    elif ending == ".parquet":
        pd.DataFrame(questions).to_parquet(path)
    elif ending == ".jsonl.gz":
        path.write_bytes(gzip.compress("\n".join(map(json.dumps, questions)).encode()))
    else:
        pd.DataFrame(questions).to_csv(path, index=False, sep="\t" if ending == ".tsv" else ",")
    assert read_open_questions(path, with_references=True) == questions


def test_questions_may_be_lines_of_text(tmp_path: Path) -> None:
    (tmp_path / "vi.txt").write_text("Thủ đô?\r\n\n  为什么? \nWhy\u2028not?", encoding="utf-8")
    found = [q["question"] for q in read_open_questions(tmp_path / "vi.txt")]
    assert found == ["Thủ đô?", "为什么?", "Why\u2028not?"]
    (tmp_path / "vi.txt").write_text("\n \n")
    with pytest.raises(QuestionError, match=r"vi\.txt: no questions"):
        read_open_questions(tmp_path / "vi.txt")
    (tmp_path / "vi.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(TextError, match=r"vi\.txt, line 1: not UTF-8"):
        read_open_questions(tmp_path / "vi.txt")


@pytest.mark.parametrize("name", ["q.en.txt", "q.v2.TXT"])
def test_blank_lines_of_a_text_are_no_questions_whatever_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("Why?\n\nWhere?\n")
    assert [q["question"] for q in read_open_questions(tmp_path / name)] == ["Why?", "Where?"]


def test_json_is_read_as_json_whatever_its_name(tmp_path: Path) -> None:
    write_jsonl([{"text": "Why?"}], tmp_path / "q.txt.jsonl")
    with pytest.raises(TextError, match=r"q\.txt\.jsonl, line 1: .*'question'"):
        read_open_questions(tmp_path / "q.txt.jsonl")


@pytest.mark.parametrize("language", ["en", "zh", "vi"])
def test_the_published_questions_are_read(real_data: Path, language: str) -> None:
    questions = read_open_questions(real_data / "mvicuna" / f"{language}.txt")
    assert len(questions) == 70
    assert all(question.keys() == {"question"} for question in questions)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({}, "no field 'question'; there are: none"),
        ({"prompt": "Why?"}, "no field 'question'; there are: prompt"),
        ({"question_id": 81, "turns": ["Why?"]}, "no field 'question'; there are: question_id, turns"),
        ({"question": ""}, "'question' is empty"),
        ({"question": " \t"}, "'question' is empty"),
        ({"question": "\u200b\u00a0"}, "'question' is empty"),
        ({"question": None}, "'question' is null"),
        ({"question": 5}, r"'question' is a number \(5\), not text"),
        ({"question": True}, r"'question' is a boolean \(true\), not text"),
        ({"question": ["Why?"]}, "'question' is a list, not text"),
        ({"question": {"text": "Why?"}}, "'question' is an object, not text"),
        ({"question": "Why?", "reference": 4}, r"'reference' is a number \(4\), not text"),
        ({"question": "Why?", "reference": ["a", "b"]}, "'reference' is a list, not text"),
        ({"question": "a\ud83d"}, r"'question' holds \\ud83d, half of a surrogate pair"),
        (
            {"question": "Why?", "reference": "a\udc00"},
            r"'reference' holds \\udc00, half of a surrogate pair",
        ),
        (["Why?"], "a list instead of an object with 'question'"),
        ("Why?", "text instead of an object with 'question'"),
    ],
)
def test_a_record_that_is_no_question_names_file_and_line(tmp_path: Path, record: Any, expected: str) -> None:
    path = tmp_path / "vi.jsonl"
    path.write_text(f'{{"question": "Why?"}}\n\n{json.dumps(record)}\n')
    with pytest.raises(TextError, match=rf"vi\.jsonl, line 3: {expected}"):
        read_open_questions(path)


@pytest.mark.parametrize("record", [{}, {"reference": None}, {"reference": ""}, {"reference": " "}])
def test_the_reference_judge_needs_a_reference_to_every_question(
    tmp_path: Path, record: dict[str, Any]
) -> None:
    path = tmp_path / "q.jsonl"
    write_jsonl([{"question": "a", "reference": "b"}, {"question": "c", **record}], path)
    assert len(read_open_questions(path)) == 2
    with pytest.raises(QuestionError, match=r"q\.jsonl, line 2: no 'reference', .*reference judge"):
        read_open_questions(path, with_references=True)


def test_a_file_without_questions_is_told(tmp_path: Path) -> None:
    (tmp_path / "vi.jsonl").write_text("\n")
    with pytest.raises(QuestionError, match=r"vi\.jsonl: no questions"):
        read_open_questions(tmp_path / "vi.jsonl")
    (tmp_path / "vi.jsonl").write_text("Why?\n")
    with pytest.raises(TextError, match=r"vi\.jsonl, line 1: not JSON"):
        read_open_questions(tmp_path / "vi.jsonl")
