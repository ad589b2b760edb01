"""Endings decide how a file is read, and which are refused."""

import pytest
from crane.texts.endings import COMPRESSIONS, FORMATS, Kind, kind_of, unreadable_ending


@pytest.mark.parametrize("compression", ["", *COMPRESSIONS])
@pytest.mark.parametrize("ending", FORMATS)
def test_every_text_may_be_compressed_but_parquet(ending: str, compression: str) -> None:
    expected = Kind(FORMATS[ending], COMPRESSIONS.get(compression, ""))
    readable = not (compression and ending == ".parquet")
    for name in (f"a{ending}{compression}", f"en.v2{ending}{compression}", f"A{ending}{compression}".upper()):
        assert kind_of(name) == (expected if readable else None)
        assert unreadable_ending(f"data/*{name}") == (None if readable else name[-len(compression) :])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("data/*", None), ("data/part-*", None), ("data/part-*.gz", None), ("x.jsonl*", None), ("x.[jt]s*", None),
        ("data", None), ("**/*.jsonl", None), ("20231101.en/*.parquet", None), ("en.v2/*", None),
        ("a.pdf", ".pdf"), ("a.zip", ".zip"), ("a.jsonl.bz2", ".bz2"), ("a.jsonl.xz", ".xz"), ("a.gz", ".gz"),
        ("*.docx", ".docx"), ("a.xlsx", ".xlsx"), ("a.tar.gz", ".gz"), ("a.arrow", ".arrow"), ("a.parquet.gz", ".gz"),
    ],
)  # fmt: skip
def test_a_pattern_is_refused_only_if_nothing_that_it_matches_can_be_read(
    pattern: str, expected: str | None
) -> None:
    assert unreadable_ending(pattern) == expected
