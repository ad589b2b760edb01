"""Bytes become lines of text, or an error that names file, line and encoding."""

import gzip
from pathlib import Path

import pytest
import zstandard
from crane.texts.decoding import TextError, lines, raw_lines
from hypothesis import given, settings
from hypothesis import strategies as st
from support.git_lfs import LFS_POINTER

CHINESE = "一条小河流过城市。\n两座桥跨过小河。\n三座房子站在岸边。\n"
VIETNAMESE = "Một con sông chảy qua thành phố nhỏ.\nHai cây cầu bắc qua sông ấy.\n"
TEXTS = {
    "utf-16": VIETNAMESE, "utf-16-le": VIETNAMESE, "utf-16-be": VIETNAMESE, "utf-32": CHINESE, "utf-32-le": VIETNAMESE,
    "gb18030": CHINESE, "gbk": CHINESE, "big5": "一條河流穿過小城。\n兩座橋跨過河流。\n",
    "shift_jis": "川が町を流れる。\n橋が二つ。\n",
    "euc-kr": "강이 도시를 흐른다.\n다리가 두 개 있다.\n", "cp1251": "Река течёт через город.\nДва моста через реку.\n",
    "koi8-r": "Река течёт через город.\nДва моста через реку.\n",
}  # fmt: skip
NAMED = {
    "utf-16": "UTF-16", "utf-16-le": "UTF-16LE", "utf-16-be": "UTF-16BE", "utf-32": "UTF-32", "utf-32-le": "UTF-32LE",
    "gb18030": "GB18030", "gbk": "GB18030", "big5": "BIG5", "shift_jis": "SHIFT_JIS", "euc-kr": "CP949",
    "cp1251": "WINDOWS-1251", "koi8-r": "KOI8-R",
}  # fmt: skip


def zstd(content: bytes) -> bytes:
    return zstandard.compress(content)


PACK = {"": bytes, "gzip": gzip.compress, "zstd": zstd}


def read(path: Path, compression: str = "") -> list[str]:
    return [line for _, line in lines(path, compression)]


@pytest.mark.parametrize("compression", PACK)
@pytest.mark.parametrize("encoding", TEXTS)
def test_another_encoding_is_named_with_the_line(tmp_path: Path, encoding: str, compression: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(PACK[compression](TEXTS[encoding].encode(encoding)))
    with pytest.raises(
        TextError, match=rf"a\.txt, line 1: not UTF-8 but probably {NAMED[encoding]}; .*iconv -f"
    ):
        read(path, compression)


@pytest.mark.parametrize("encoding", ["gb18030", "big5", "shift_jis", "cp1251"])
def test_the_line_is_the_first_that_is_not_utf8(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"plain\n\nlines\n" + TEXTS[encoding].encode(encoding))
    with pytest.raises(TextError, match=rf"a\.txt, line 4: not UTF-8 but probably {NAMED[encoding]}"):
        read(path)


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"caf\xe9", b"\xed\xa0\xbd", b"\xe4\xb8", b"\x80"])
def test_damaged_bytes_name_the_line(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("fine\nđược\n".encode() + damage + b"\nfine\n")
    with pytest.raises(TextError, match=r"a\.txt, line 3: not UTF-8"):
        read(path)


@pytest.mark.parametrize("compression", PACK)
def test_a_byte_order_mark_is_no_text(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(PACK[compression](b"\xef\xbb\xbf" + CHINESE.encode()))
    assert read(path, compression) == CHINESE.splitlines()
    path.write_bytes(PACK[compression](b"\xef\xbb\xbf"))
    assert read(path, compression) in ([], [""])


@pytest.mark.parametrize("compression", PACK)
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\ufeff\x00"), max_size=200))
@settings(deadline=None, max_examples=60)
def test_lines_are_those_of_pythons_universal_newlines(
    tmp_path_factory: pytest.TempPathFactory, compression: str, text: str
) -> None:
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    path.write_text(text, encoding="utf-8", newline="")
    with path.open(encoding="utf-8") as file:
        expected = [line.removesuffix("\n") for line in file]
    path.write_bytes(PACK[compression](path.read_bytes()))
    found = list(lines(path, compression))
    # A carriage return before the end of the file ends a line; no other line follows it.
    assert [line for _, line in found][: len(expected)] == expected
    assert not any(line for _, line in found[len(expected) :])
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    assert "".join(raw_lines(path, compression)) == text


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.jsonl.gz", "a.json.zst"])
def test_a_pointer_of_git_lfs_is_no_text(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(LFS_POINTER)
    for compression in PACK:
        with pytest.raises(TextError, match=r"only the pointer of a file in Git LFS; .*git lfs pull"):
            read(path, compression)


@pytest.mark.parametrize("kept", [1, 6, 20, -20, -1])
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_file_that_was_cut_is_not_taken_for_a_short_one(
    tmp_path: Path, compression: str, kept: int
) -> None:
    path = tmp_path / "a"
    whole = PACK[compression]("\n".join(map(str, range(5000))).encode())
    path.write_bytes(whole[:kept])
    with pytest.raises(TextError, match=rf"not a whole {compression} file .*download it again"):
        read(path, compression)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_what_is_not_compressed_is_told(tmp_path: Path, compression: str) -> None:
    (tmp_path / "a").write_text('{"text": "plain"}\n')
    with pytest.raises(TextError, match=rf"not a whole {compression} file"):
        read(tmp_path / "a", compression)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_parts_compressed_one_by_one_are_one_text(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"".join(PACK[compression](f"line {i}\n".encode()) for i in range(300)))
    assert read(path, compression) == [f"line {i}" for i in range(300)]


def test_dumps_with_a_long_window_are_read(tmp_path: Path) -> None:
    window = zstandard.ZstdCompressionParameters.from_level(1, window_log=30, enable_ldm=1)
    compressor = zstandard.ZstdCompressor(compression_params=window)
    writer = compressor.compressobj()
    (tmp_path / "a").write_bytes(writer.compress(b"x" * 1000 + b"\n") + writer.flush())
    assert read(tmp_path / "a", "zstd") == ["x" * 1000]


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(TextError, match="cannot be opened"):
            read(path)
