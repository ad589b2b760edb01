"""JSON by lines and as an array gives the same values, and what is not JSON is named with its line."""

import json
from pathlib import Path
from typing import Any

import pytest
from crane.texts import json_text
from crane.texts.decoding import TextError
from crane.texts.json_text import json_values
from hypothesis import given
from hypothesis import strategies as st

PATH = Path("a.json")
CUT = "a.json: not JSON (the file ends inside its array)"


def values(text: str) -> list[tuple[int, Any]]:
    return list(json_values(enumerate(text.split("\n"), 1), PATH))


VALUES = st.text(max_size=30) | st.integers() | st.lists(st.booleans(), max_size=3)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), max_size=8)


@given(OBJECTS, st.sampled_from([None, 0, 2]), st.integers(1, 64), st.booleans())
def test_an_array_holds_what_lines_hold(
    objects: list[dict[str, Any]], indent: int | None, chunk: int, ascii_only: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "_CHUNK", chunk)
        array = json.dumps(objects, indent=indent, ensure_ascii=ascii_only)
        found = values(f"\n  {array}\n\n")
    assert [value for _, value in found] == objects
    for number, value in found:
        line = f"\n  {array}".split("\n")[number - 1]
        assert "{" in line, (number, value)
    by_line = values("\n\n".join(json.dumps(each) for each in objects))
    assert by_line == [(1 + 2 * i, each) for i, each in enumerate(objects)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}\n\n{"a": \n', "line 3: not JSON"),
        ('{"a": 1},\n{"a": 2}', "line 1: not JSON (Extra data, column 9); remove the comma at its end"),
        ('{"a": 1} {"a": 2}', "line 1: not JSON (Extra data, column 10)"),
        ("<!DOCTYPE html>\n<html>", "line 1: not JSON (Expecting value, column 1); it looks like a web page"),
        ('{\n "a": 1\n}', "line 1: not JSON (Expecting property name enclosed in double quotes, column 2); each"),
        ("{'a': 1}", "line 1: not JSON (Expecting property name"),
        ('{"a": "b\tc"}', "line 1: not JSON (Invalid control character"),
        ("version 1", "line 1: not JSON (Expecting value, column 1)"),
        (f'{{"a": {"1" * 5000}}}', "line 1: not JSON that can be read"),
        ("[", CUT),
        ('[{"a": 1},\n', CUT),
        ('[{"a": 1}\n\n', CUT),
        ('[{"a": 1},\n{"a": 2,\n', CUT),
        ('[{"a": 1},\n{"a" 2}]', "line 2: not JSON (Expecting ':' delimiter"),
        ('[{"a": 1}\n{"a": 2}]', "line 2: not JSON ('{' instead of ',')"),
        ('[{"a": 1},\n]', "line 2: not JSON (Expecting value"),
        ('[{"a": 1}]\n{"a": 2}', "line 2: text after the end of the array"),
        ("[1, 2]\n[3, 4]", "line 2: text after the end of the array"),
    ],
)  # fmt: skip
def test_what_is_not_json_is_told_with_its_line(text: str, expected: str) -> None:
    with pytest.raises(TextError) as caught:
        values(text)
    assert expected in str(caught.value) and str(caught.value).startswith("a.json")


def test_brackets_without_end_are_told() -> None:
    for text in ("[" * 100_000, '{"a": ' * 100_000):
        with pytest.raises(TextError, match="line 1: not JSON"):
            values(text)


def test_a_line_that_is_a_list_is_one_value() -> None:
    assert values('{"a": 1}\n[1, 2]\n"x"') == [(1, {"a": 1}), (2, [1, 2]), (3, "x")]
    assert values("") == values("\n \n") == values("[]") == values("[\n\n]\n") == []
