"""What YAML reads otherwise than it is written is told with its line, and what it reads as written is left alone."""

from pathlib import Path

import pytest
from crane.study.check import ConfigError, check_files
from crane.study.yaml_files import surprises
from support.places import ROOT

FILES = sorted([*(ROOT / "config").glob("*.yaml"), *(ROOT / "profiles").glob("*/config.yaml")])


def told(folder: Path, text: str, name: str = "study.yaml") -> list[str]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return [line.removeprefix(f"{path}, ").removeprefix(f"{path}: ") for line in surprises(path)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("engine: hf\nstudy: a\nengine: vllm\n", ["line 3: engine is given twice, first in line 1; remove one"]),
        ("a: {b: 1, b: 2}\n", ["line 1: a.b is given twice, first in line 1; remove one"]),
        ("a:\n  b:\n    c: 1\n    'c': 2\n", ["line 4: a.b.c is given twice, first in line 3; remove one"]),
        ("a:\n- {b: 1}\n- b: 1\n  b: 2\n", ["line 4: a.1.b is given twice, first in line 3; remove one"]),
        ("a: 1\na: 2\na: 3\n", ["line 2: a is given twice, first in line 1; remove one",
                                "line 3: a is given twice, first in line 1; remove one"]),
    ],
)  # fmt: skip
def test_keys_that_are_given_twice(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert told(tmp_path, text) == expected


@pytest.mark.parametrize("text", ['{"a": 1, "b": {"c": 1, "c": 2}}', '{\n\t"c": 1,\n\t"c": 2\n}'])
def test_keys_that_json_gives_twice(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text, "study.json") == ["key 'c' is given twice; remove one"]


@pytest.mark.parametrize(
    ("word", "read"),
    [
        *((word, "false") for word in ("no", "No", "NO", "off", "Off", "false")),
        *((word, "true") for word in ("yes", "Yes", "on", "ON", "true")),
        ("null", "null"), ("~", "null"), ("010", "8"), ("1:30", "90"), ("2026-01-02", "a date"), ("1_000", "1000"),
    ],
)  # fmt: skip
def test_names_that_are_no_text(tmp_path: Path, word: str, read: str) -> None:
    (line,) = told(tmp_path, f"languages:\n  en: {{}}\n  {word}: {{}}\n")
    if word == read:
        assert line == f'line 3: languages: the name {word} is not a text; put it in quotes: "{word}"'
    else:
        assert line == f'line 3: languages: YAML reads the name {word} as {read}; put it in quotes: "{word}"'
    assert not told(tmp_path, f"languages:\n  en: {{}}\n  '{word}': {{}}\n")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1:30", 'YAML reads 1:30 as 90, in base 60; write the number, or "1:30" for the text'),
        (
            "24:00:00",
            'YAML reads 24:00:00 as 86400, in base 60; write the number, or "24:00:00" for the text',
        ),
        ("1:30.5", 'YAML reads 1:30.5 as 90.5, in base 60; write the number, or "1:30.5" for the text'),
        ("00123", 'YAML reads 00123 as 83, in base 8; write "00123" for the text, or 123'),
        ("0777", 'YAML reads 0777 as 511, in base 8; write "0777" for the text, or 777'),
        ("2026-01-02", 'YAML reads 2026-01-02 as a date; put it in quotes: "2026-01-02"'),
        (
            "2026-01-02 10:00:00",
            'YAML reads 2026-01-02 10:00:00 as a date; put it in quotes: "2026-01-02 10:00:00"',
        ),
    ],
)
def test_values_that_no_key_can_mean_so(tmp_path: Path, value: str, expected: str) -> None:
    assert told(tmp_path, f"a:\n  b: {value}\n") == [f"line 2: a.b: {expected}"]
    assert told(tmp_path, f"a: [x, {value}]\n") == [f"line 1: a.1: {expected}"]
    assert not told(tmp_path, f"a:\n  b: '{value}'\n")


@pytest.mark.parametrize(
    "value", ["0", "7", "-3", "+5", "0.1", "1.0e-3", "1e-1", "1_000", "0x1F", "089", "true", "no", "~", "null", "",
              "a:b", "v1.0", ".inf", "attempt * 120", "?repr(str(account))"]
)  # fmt: skip
def test_other_values_are_left_to_the_check_of_the_configuration(tmp_path: Path, value: str) -> None:
    assert not told(tmp_path, f"a: {value}\n")


@pytest.mark.parametrize(
    ("value", "minutes"),
    [
        ("24:00:00", 1440),
        ("24:00", 1440),
        ("2:30", 150),
        ("1-00:00:00", 1440),
        ("2-12:00:00", 3600),
        ("0:00:30", 1),
    ],
)
@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_runtimes_are_minutes(tmp_path: Path, value: str, minutes: int, quote: str) -> None:
    (line,) = told(tmp_path, f"set-resources:\n  sample_corpus:\n    runtime: {quote}{value}{quote}\n")
    assert line.startswith("line 3: set-resources.sample_corpus.runtime: ")
    assert line.endswith(f"; a time is given in minutes: {minutes}") and value in line


@pytest.mark.parametrize("value", ["attempt * 120", "1440", "24h", "2 days"])
def test_runtimes_as_snakemake_reads_them_are_fine(tmp_path: Path, value: str) -> None:
    assert not told(tmp_path, f"default-resources:\n  runtime: {value}\n")


def test_no_site_has_a_partition_called_true(tmp_path: Path) -> None:
    text = "__variables__:\n  gpu_partition: on\n  account: 00123\nkeep-going: yes\n"
    assert told(tmp_path, text) == [
        'line 2: __variables__.gpu_partition: YAML reads on as true; put it in quotes: "on"',
        'line 3: __variables__.account: YAML reads 00123 as 83, in base 8; write "00123" for the text, or 123',
    ]


def test_anchors_and_merges_are_told_once(tmp_path: Path) -> None:
    text = "a: &gpu\n  time: 1:30\nb:\n  <<: *gpu\n  mem: 1\nc: *gpu\nd: &d\n  - *gpu\n"
    assert [line.split(":")[0] for line in told(tmp_path, text)] == ["line 2"]


def test_what_snakemake_refuses_itself_has_no_lines(tmp_path: Path) -> None:
    for text in ("a:\n\tb: 1\n", "a: [1\n", "", "\ufeffa: 1\n"):
        assert not told(tmp_path, text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_files_of_the_repository_are_read_as_written(path: Path) -> None:
    assert surprises(path) == []


def test_all_lines_of_all_files_are_one_error(tmp_path: Path) -> None:
    files = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    check_files(())
    for path in files:
        path.write_text("a: 1\na: 2\nno: 3\n")
    with pytest.raises(ConfigError) as caught:
        check_files(files)
    lines = str(caught.value).splitlines()
    assert lines[0] == "the configuration is wrong:" and len(lines) == 5
    assert all(str(path) in str(caught.value) for path in files)
