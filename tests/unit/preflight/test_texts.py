"""Texts are read before anything is submitted: each fault is one line with file and place."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crane.preflight import texts as checking
from crane.preflight.checks import PreflightError
from crane.preflight.texts import check_documents, texts
from crane.texts.decoding import TextError
from support.failed_checks import failures
from support.git_lfs import LFS_POINTER


def _corpus(config: dict[str, Any], path: str) -> None:
    config["corpora"]["files"]["vi"] = path


def _question(config: dict[str, Any], path: str) -> None:
    config["open_questions"]["files"]["vi"] = path


def _benchmark(config: dict[str, Any], path: str) -> None:
    config["benchmarks"]["quiz_vi"]["data"] = path


PLACES: dict[str, Callable[[dict[str, Any], str], None]] = {
    "corpora.vi": _corpus, "open_questions.files.vi": _question, "benchmarks.quiz_vi.data": _benchmark,
}  # fmt: skip


@pytest.mark.parametrize("check", PLACES)
@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jsonl", LFS_POINTER.encode(), "git lfs pull"),
        ("a.jsonl.gz", LFS_POINTER.encode(), "git lfs pull"),
        ("a.parquet", LFS_POINTER.encode(), "git lfs pull"),
        ("a.jsonl", '{"text": "é"}'.encode("utf-16"), "line 1: not UTF-8 but probably UTF-16"),
        (
            "a.jsonl",
            b'{"text": "' + "一条小河流过城市。".encode("gbk") + b'"}',
            "line 1: not UTF-8 but probably GB",
        ),
        ("a.json", b"[", "not JSON (the file ends inside its array)"),
        ("a.jsonl", b"\n<html>", "line 2: not JSON"),
        ("a.jsonl", b'"text"', "line 1: text instead of an object"),
        ("a.jsonl", b"{}", "line 1: no field"),
        ("a.csv", b"a,b\n1,2,3\n", "line 2: 3 fields, but the header has 2"),
        ("a.jsonl.zst", b"(\xb5/\xfd\0\0", "not a whole zstd file"),
        ("a.jsonl.gz", b"{}", "not a whole gzip file"),
        ("a.parquet", b"PAR1", "not a readable Parquet file"),
        ("a.jsonl", b"", "no "),
    ],
)
def test_a_text_that_cannot_be_read_is_one_line(
    local: dict[str, Any], tmp_path: Path, check: str, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)
    PLACES[check](local, str(tmp_path / name))
    found = failures(texts, local)
    assert found.keys() == {check}
    assert found[check].startswith(str(tmp_path / name)) and expected in found[check]


@pytest.mark.parametrize("check", PLACES)
def test_a_folder_or_a_pattern_where_a_file_is_meant(
    local: dict[str, Any], tmp_path: Path, check: str
) -> None:
    PLACES[check](local, str(tmp_path))
    assert "a folder; name" in failures(texts, local)[check]
    if check != "corpora.vi":
        PLACES[check](local, str(tmp_path / "v*.jsonl"))
        assert "a pattern; name one file" in failures(texts, local)[check]


@pytest.mark.parametrize("check", PLACES)
def test_a_folder_with_brackets_is_no_pattern(local: dict[str, Any], tmp_path: Path, check: str) -> None:
    folder = tmp_path / "data [v2]"
    folder.mkdir()
    record = {
        "text": "a",
        "question": "q",
        "reference": "r",
        "choices": list("abcd"),
        "answer": 0,
        "relation": "r",
    }
    (folder / "vi.jsonl").write_text(json.dumps(record))
    PLACES[check](local, str(folder / "vi.jsonl"))
    assert not failures(texts, local)


def test_references_are_asked_for_by_the_reference_judge_only(local: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "vi.txt").write_text("Sao?\n", encoding="utf-8")
    _question(local, str(tmp_path / "vi.txt"))
    assert "vi.txt, line 1: no 'reference'" in failures(texts, local)["open_questions.files.vi"]
    local["judges"] = {
        "gpt": {"kind": "openai", "label": "G", "model": "m", "prompt": "crane", "output": "text", "max_tokens": 9,
                "attempts": 1}
    }  # fmt: skip
    assert not failures(texts, local)


def test_a_benchmark_without_the_field_of_its_strata(local: dict[str, Any]) -> None:
    local["benchmarks"]["quiz_vi"]["stratify_by"] = "topic"
    expected = (
        "vi.jsonl, line 1: no field 'topic' (stratify_by); there are: question, choices, answer, relation"
    )
    assert failures(texts, local)["benchmarks.quiz_vi.data"].endswith(expected)


# Large corpora ------------------------------------------------------------------------------------------


def test_small_files_are_read_whole_and_of_large_ones_the_first_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ['{"text": "fine"}\n'] * 5000
    path = tmp_path / "a.jsonl"
    path.write_text("".join(lines) + "{broken\n")
    with pytest.raises(TextError, match=r"a\.jsonl, line 5001: not JSON"):
        check_documents(str(path), "text")
    monkeypatch.setattr(checking, "WHOLE", 1000)
    assert (
        check_documents(str(path), "text")
        == "1 file, 0.1 MB; 200 documents read, of 1 large file only the beginning"
    )
    (tmp_path / "b.jsonl").write_text("{broken\n")  # of many files, every one is opened
    with pytest.raises(TextError, match=r"b\.jsonl, line 1"):
        check_documents(str(tmp_path / "*.jsonl"), "text")


def test_the_files_of_a_language_are_read_whole_up_to_a_limit_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        (tmp_path / f"{name}.jsonl").write_text('{"text": "fine"}\n' * 300)
    monkeypatch.setattr(checking, "WHOLE", 11_000)
    found = check_documents(str(tmp_path / "*.jsonl"), "text")
    assert found.startswith("3 files") and "800 documents read, of 1 large file only the beginning" in found


def test_a_large_corpus_takes_no_time(tmp_path: Path) -> None:
    with (tmp_path / "a.txt").open("w") as file:
        for _ in range(40):
            file.write(("word " * 200 + "\n") * 1000)
    start = time.process_time()
    assert "200 documents read" in check_documents(str(tmp_path / "a.txt"), "text")
    assert time.process_time() - start < 1


@pytest.mark.parametrize("content", ["", "\n \n", "\u3000\n", "\u200b\n"])
def test_a_corpus_without_a_document_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.txt").write_text(content, encoding="utf-8")
    with pytest.raises(PreflightError, match=r"a\.txt: no documents"):
        check_documents(str(tmp_path / "a.txt"), "text")


def test_parallel_suites_have_as_many_questions_in_every_language(local: dict[str, Any]) -> None:
    assert failures(texts, local) == {}
    for path in (local["benchmarks"]["quiz_vi"]["data"], local["open_questions"]["files"]["vi"]):
        Path(path).write_text(2 * Path(path).read_text(encoding="utf-8"), encoding="utf-8")
    found = failures(texts, local)
    assert list(found) == ["scores.parallel.quiz", "scores.parallel.open"]
    differ = "is declared parallel, but the numbers of its questions differ"
    assert (
        f"suite 'quiz' {differ}: quiz_en 1, quiz_zh 1, quiz_vi 2; take it out"
        in found["scores.parallel.quiz"]
    )
    assert f"suite 'open' {differ}: en 1, zh 1, vi 2; take it out" in found["scores.parallel.open"]
    local["scores"]["parallel"] = []
    assert failures(texts, local) == {}
