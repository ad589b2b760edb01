"""Documents: every format is read, and what is damaged is named."""

import gzip
import json
import random

import pandas as pd
import pytest
from crane.corpora.documents import read_documents
from crane.corpora.sampling import sample
from crane.texts.decoding import TextError

TEXTS = ["Paris is in France.", "Hà Nội ở Việt Nam.", "北京在中国。", "The yen is used in Japan."]


def write(folder, name, texts):
    path = folder / name
    if path.suffix == ".txt":
        path.write_text("".join(f"{t}\n" for t in texts), encoding="utf-8")
    elif name.endswith((".jsonl", ".gz")):
        text = "".join(json.dumps({"body": t, "n": 1}, ensure_ascii=False) + "\n" for t in texts)
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    else:
        pd.DataFrame({"n": range(len(texts)), "body": texts}).to_parquet(path)


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".jsonl.gz", ".json.gz", ".parquet"])
def test_every_format_is_read_by_every_glob(tmp_path, suffix):
    write(tmp_path, f"b{suffix}", TEXTS[2:])
    write(tmp_path, f"a{suffix}", TEXTS[:2])
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep", f"c{suffix}", ["deep"])

    def read(pattern):
        return [text.strip() for text in read_documents(str(tmp_path / pattern), "body")]

    assert read(f"*{suffix}") == TEXTS
    assert read(f"a{suffix}") == TEXTS[:2]
    assert read(f"**/*{suffix}") == [*TEXTS, "deep"]


def test_a_folder_of_mixed_formats_is_read(tmp_path):
    for name, text in zip(("1.txt", "2.jsonl", "3.parquet"), TEXTS, strict=False):
        write(tmp_path, name, [text])
    assert [t.strip() for t in read_documents(str(tmp_path / "*"), "body")] == TEXTS[:3]


def test_what_cannot_be_read_is_told(tmp_path):
    with pytest.raises(TextError, match=r"no file matches '.*nothing\*'"):
        list(read_documents(str(tmp_path / "nothing*")))
    write(tmp_path, "a.jsonl", TEXTS)
    with pytest.raises(TextError, match=r"a\.jsonl, line 1: no field 'text'; there are: body, n"):
        list(read_documents(str(tmp_path / "a.jsonl"), "text"))
    write(tmp_path, "a.parquet", TEXTS)
    with pytest.raises(TextError, match=r"a\.parquet: no column 'text'; there are: n, body"):
        list(read_documents(str(tmp_path / "a.parquet"), "text"))
    with pytest.raises(TextError, match=r"a\.parquet, row 1: 'n' is a number \(0\), not text"):
        list(read_documents(str(tmp_path / "a.parquet"), "n"))
    (tmp_path / "b.xml").write_text("text\n")
    with pytest.raises(
        TextError, match=r"b\.xml: cannot read files with this ending; it must be \.txt, \.jsonl"
    ):
        list(read_documents(str(tmp_path / "b.xml")))


def test_an_ending_that_cannot_be_read_is_told_before_the_first_file_is(tmp_path):
    write(tmp_path, "a.jsonl", TEXTS)
    (tmp_path / "b.xml").write_text("text\n")
    with pytest.raises(TextError, match=r"b\.xml"):
        next(read_documents(str(tmp_path / "*"), "body"))


@pytest.mark.parametrize("line", ["{broken", "[1, 2]", '"text"', '{"text": 5}', '{"text": ["a"]}'])
def test_a_damaged_record_names_file_and_line(tmp_path, line):
    (tmp_path / "a.jsonl").write_text(f'{{"text": "fine"}}\n{line}\n')
    with pytest.raises(TextError, match=r"a\.jsonl, line 2"):
        sample(read_documents(str(tmp_path / "a.jsonl")), 5, 0)


def test_damaged_bytes_name_the_file(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"fine\n\xff\xfe\n")
    with pytest.raises(TextError, match=r"a\.txt.*UTF-8"):
        list(read_documents(str(tmp_path / "a.txt")))
    for name in ("a.parquet", "a.jsonl.gz"):
        write(tmp_path, name, TEXTS)
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-9])
        with pytest.raises(TextError, match=name.replace(".", r"\.")):
            list(read_documents(str(tmp_path / name), "body"))
    (tmp_path / "b.json.gz").write_bytes(b"plain text")
    with pytest.raises(TextError, match=r"b\.json\.gz: not a whole gzip file"):
        list(read_documents(str(tmp_path / "b.json.gz"), "body"))


@pytest.mark.parametrize("language", ["en", "vi", "zh"])
def test_the_published_questions_are_documents(real_data, language):
    found = sample(read_documents(str(real_data / "mvicuna" / f"{language}.txt")), 100, 0)
    assert found.read - found.empty == 70
    assert len(found.texts) + found.duplicate == 70
    shuffled = found.texts.copy()
    random.Random(0).shuffle(shuffled)
    assert sample(iter(shuffled), 10, 1).texts == sample(iter(found.texts), 10, 1).texts
