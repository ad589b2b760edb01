"""A text is blank exactly if a reader sees nothing of it."""

import pytest
from crane.texts.blank import is_blank

INVISIBLE = [" ", "\t", "\n", "\r", "\u00a0", "\u3000", "\u2028", "\x85", "\u200b", "\u200c", "\u200d", "\u2060",
             "\ufeff", "\u00ad", "\u200e", "\u202b", "\x00", "\x1b"]  # fmt: skip


@pytest.mark.parametrize("text", [None, "", *INVISIBLE, " \u200b\n", "".join(INVISIBLE)])
def test_white_space_and_invisible_characters_are_nothing(text: str | None) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("character", INVISIBLE)
@pytest.mark.parametrize("seen", ["a", "。", "ế", "e\u0323", "😀", "0", "-", "\ue000", "क्\u200dष"])
def test_whatever_is_seen_counts(seen: str, character: str) -> None:
    assert not is_blank(seen) and not is_blank(f"{character}{seen}{character}")
