"""Records of every format, with their places; fields that are no text are named."""

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from crane.texts.decoding import TextError
from crane.texts.records import Record, read_records, text_of
from support.git_lfs import LFS_POINTER

TEXTS = ["Paris is in France.", "Hà Nội, ở Việt Nam.", '北京"在中国"。', ""]
RECORDS = [{"n": str(i), "body": text} for i, text in enumerate(TEXTS)]
PACK = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}
TYPES = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
WRITTEN = {
    ".jsonl": "\n".join(json.dumps(r) for r in RECORDS),
    ".ndjson": "\n\n".join(json.dumps(r, ensure_ascii=False) for r in RECORDS),
    ".json": json.dumps(RECORDS, indent=2, ensure_ascii=False),
    ".csv": pd.DataFrame(RECORDS).to_csv(index=False),
    ".tsv": pd.DataFrame(RECORDS).to_csv(index=False, sep="\t"),
}


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("compression", PACK)
@pytest.mark.parametrize("ending", WRITTEN)
def test_every_format_holds_the_same_records(
    tmp_path: Path, ending: str, compression: str, mark: str
) -> None:
    path = tmp_path / f"a{ending}{compression}"
    path.write_bytes(PACK[compression]((mark + WRITTEN[ending]).encode()))
    assert [record.fields for record in read_records(path, "body")] == RECORDS


@pytest.mark.parametrize("compression", PACK)
def test_lines_of_text_are_records_blank_ones_too(tmp_path: Path, compression: str) -> None:
    path = tmp_path / f"a.txt{compression}"
    path.write_bytes(PACK[compression](b"one\r\n\ntwo\n"))
    found = [(record.number, record.fields) for record in read_records(path, "body")]
    assert found == [(1, {"body": "one"}), (2, {"body": ""}), (3, {"body": "two"})]


@pytest.mark.parametrize("kind", TYPES)
def test_text_of_parquet_is_text_in_any_of_its_types(tmp_path: Path, kind: pa.DataType) -> None:
    table = pa.table({"n": range(4), "body": pa.array([*TEXTS[:3], None]).cast(kind)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    found = list(read_records(tmp_path / "a.parquet", "body", ["body"]))
    assert [text_of(record, "body") for record in found] == [*TEXTS[:3], None]
    assert found[3].where.endswith("a.parquet, row 4")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([b"x"]), "'body' is bytes, not text"),
        (pa.array([["x"]]), "'body' is a list, not text"),
        (pa.array([{"text": "x"}]), "'body' is an object, not text"),
        (pa.array([5]), "'body' is a number (5), not text"),
        (pa.array([True]), "'body' is a boolean (true), not text"),
    ],
)
def test_columns_of_other_types_are_told(tmp_path: Path, values: pa.Array, expected: str) -> None:
    pq.write_table(pa.table({"body": values}), tmp_path / "a.parquet")
    with pytest.raises(TextError) as caught:
        [text_of(record, "body") for record in read_records(tmp_path / "a.parquet", "body")]
    assert str(caught.value).endswith(f"a.parquet, row 1: {expected}")


@pytest.mark.parametrize("damage", ["cut", "head", "page", "pointer", "empty"])
def test_a_damaged_parquet_file_is_told(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"body": ["A small river runs. " * 200] * 3000}), path, row_group_size=1000)
    whole = path.read_bytes()
    damaged = {
        "cut": whole[:-9],
        "head": whole[:-4] + b"XXXX",
        "page": whole[:60] + b"\xff" * 200 + whole[260:],
        "pointer": LFS_POINTER.encode(),
        "empty": b"",
    }
    path.write_bytes(damaged[damage])
    with pytest.raises(TextError) as caught:
        list(read_records(path, "body", ["body"]))
    expected = "git lfs pull" if damage == "pointer" else "not a readable Parquet file"
    assert str(caught.value).startswith(str(path)) and expected in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"data": {"text": "x"}}, "no field 'text'; there are: data"),
        ({"body": "x", "n": 1}, "no field 'text'; there are: body, n"),
        ({}, "no field 'text'; there are: none"),
        ({"text": 5}, "'text' is a number (5), not text"),
        ({"text": float("nan")}, "'text' is a number (nan), not text"),
        ({"text": False}, "'text' is a boolean (false), not text"),
        ({"text": ["a", "b"]}, "'text' is a list, not text"),
        ({"text": {"en": "a"}}, "'text' is an object, not text"),
        (
            {"text": "cut \ud83d"},
            r"'text' holds \ud83d, half of a surrogate pair and no character; remove it",
        ),
        (
            {"text": "\udc00 begins"},
            r"'text' holds \udc00, half of a surrogate pair and no character; remove it",
        ),
    ],
)
def test_a_field_that_is_no_text_is_told(fields: dict[str, Any], expected: str) -> None:
    with pytest.raises(TextError) as caught:
        text_of(Record(Path("a.jsonl"), "line", 3, fields), "text")
    assert str(caught.value) == f"a.jsonl, line 3: {expected}"


def test_whole_surrogate_pairs_and_null_are_fine() -> None:
    record = Record(Path("a.jsonl"), "line", 1, json.loads('{"text": "\\ud83d\\ude00", "none": null}'))
    assert text_of(record, "text") == "😀" and text_of(record, "none") is None


@pytest.mark.parametrize("name", ["a", "a.xml", "a.pdf", "a.parquet.gz", "a.jsonl.bz2"])
def test_another_ending_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(TextError, match=r"cannot read files with this ending; it must be \.txt, \.jsonl"):
        list(read_records(tmp_path / name, "text"))
