"""A path is meant literally before it is a pattern, and a folder is no file."""

from pathlib import Path

import pytest
from crane.texts.decoding import TextError
from crane.texts.files import matching_files, single_file


@pytest.mark.parametrize("folder", ["data [v2]", "a*b", "what?", "[x]", "plain"])
def test_a_path_that_exists_is_meant_literally(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "en.jsonl"
    path.parent.mkdir()
    path.write_text("{}")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "en.jsonl").write_text("{}")  # what the pattern [x] would match
    assert matching_files(str(path)) == [path]
    assert single_file(path) == path


def test_folders_among_matches_are_left_out_unless_named_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.jsonl", "a.jsonl", "deep/c.jsonl"):
        (tmp_path / name).write_text("{}")
    names = [path.name for path in matching_files(str(tmp_path / "*"))]
    assert names == ["a.jsonl", "b.jsonl"]
    assert len(matching_files(str(tmp_path / "**"))) == 3
    (tmp_path / "shards.parquet").mkdir()
    with pytest.raises(
        TextError, match=r"shards\.parquet: a folder with the ending of a file; name its files"
    ):
        matching_files(str(tmp_path / "*"))


def test_a_folder_where_files_are_meant_is_told(tmp_path: Path) -> None:
    for path in (str(tmp_path), f"{tmp_path}/"):
        with pytest.raises(TextError, match="a folder; name its files"):
            matching_files(path)
        with pytest.raises(TextError, match="a folder; name one file"):
            single_file(path)
    (tmp_path / "deep").mkdir()
    with pytest.raises(TextError, match="no file matches"):
        matching_files(str(tmp_path / "*"))


def test_a_pattern_where_one_file_is_meant_is_told(tmp_path: Path) -> None:
    (tmp_path / "zh.jsonl").write_text("{}")
    with pytest.raises(TextError, match=r"z\*\.jsonl: a pattern; name one file"):
        single_file(tmp_path / "z*.jsonl")
    with pytest.raises(TextError, match=r"v\*\.jsonl: no such file"):
        single_file(tmp_path / "v*.jsonl")
