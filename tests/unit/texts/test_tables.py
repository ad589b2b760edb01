"""Rows of CSV and TSV files, by the names in their header."""

import csv
import gzip
from pathlib import Path

import pytest
from crane.texts.decoding import TextError
from crane.texts.tables import table_rows
from hypothesis import given, settings
from hypothesis import strategies as st

FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufeff"), max_size=20)


@pytest.mark.parametrize("delimiter", [",", "\t"])
@given(rows=st.lists(st.tuples(FIELD, FIELD), max_size=6), end=st.sampled_from(["\n", "\r\n"]))
@settings(deadline=None, max_examples=60)
def test_what_pythons_writer_wrote_is_read(
    tmp_path_factory: pytest.TempPathFactory, delimiter: str, rows: list[tuple[str, str]], end: str
) -> None:
    path = tmp_path_factory.mktemp("table") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator=end).writerows([("id", "text"), *rows])
    found = [row for _, row in table_rows(path, "", delimiter)]
    assert found == [{"id": first, "text": second} for first, second in rows]


def test_a_row_has_the_line_in_which_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b'\xef\xbb\xbfid,text\n\n1,"two\nlines, ""quoted"""\n\n2,x\n'))
    assert list(table_rows(path, "gzip", ",")) == [
        (3, {"id": "1", "text": 'two\nlines, "quoted"'}),
        (6, {"id": "2", "text": "x"}),
    ]


def test_long_fields_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\n" + "x" * 300_000 + "\n")
    assert [len(row["text"]) for _, row in table_rows(path, "", ",")] == [300_000]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id,text\n1,a\n2,b,c\n", "line 3: 3 fields, but the header has 2 (id, text); put fields with commas"),
        ("id,text\n1\n", "line 2: 1 field, but the header has 2"),
        ("text,text\n1,2\n", "line 1: the header names 'text' twice"),
        ('id,text\n1,"a\n2,b\n', "line 2: not a row of fields (unexpected end of data)"),
        ('id,text\n1,a\n2,"b" c\n', "line 3: not a row of fields (',' expected after '\"')"),
        ("id,text\n1,gr\xfcn\n", "line 2: not UTF-8"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_told_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "a.csv").write_text(text, encoding="latin-1")
    with pytest.raises(TextError) as caught:
        list(table_rows(tmp_path / "a.csv", "", ","))
    assert expected in str(caught.value) and "a.csv" in str(caught.value)


def test_tabs_are_asked_for_where_they_separate(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("id\ttext\n1\ta\tb\n")
    with pytest.raises(TextError, match="put fields with tabs in quotes"):
        list(table_rows(tmp_path / "a.tsv", "", "\t"))


def test_an_empty_table_has_no_rows(tmp_path: Path) -> None:
    for text in ("", "\n\n", "id,text\n"):
        (tmp_path / "a.csv").write_text(text)
        assert list(table_rows(tmp_path / "a.csv", "", ",")) == []
