"""Languages of answers, on the published questions and on short answers."""

from pathlib import Path

import pytest
from crane.answer_language import LanguageIdentifier

LANGUAGES = ["en", "zh", "vi"]


@pytest.fixture(scope="module")
def identify():
    return LanguageIdentifier(LANGUAGES)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The capital of France is Paris.", "en"),
        ("Thủ đô của Việt Nam là Hà Nội.", "vi"),
        ("法国的首都是巴黎。", "zh"),
        ("La capitale de la France est Paris.", "fr"),
        ("日本の首都は東京です。", "ja"),
        ("Paris", None),
        ("巴黎", None),
        ("Ha Noi", None),
        ("42", None),
        ("1 + 1 = 2", None),
        ("", None),
        (" \n", None),
    ],
)
def test_texts(identify, text, language):
    assert identify(text) == language


def test_codes_of_the_study_are_kept_and_unknown_ones_leave_the_others():
    identify = LanguageIdentifier(["zh_Hans", "en", "ceb"])
    assert identify("法国的首都是巴黎。") == "zh_Hans"
    assert identify("The capital of France is Paris.") == "en"


def words(text: str, count: int) -> str:
    """Return the first words of a text, two characters of Chinese for each."""
    return text[: 2 * count] if "\u4e00" <= text[0] <= "\u9fff" else " ".join(text.split()[:count])


@pytest.mark.parametrize(("count", "fewest"), [(3, 66), (5, 68), (8, 70), (1000, 70)])
def test_published_questions(identify, real_data: Path, count: int, fewest: int):
    """Of 70 questions per language, cut to their first words, nearly all are told; whole ones all."""
    for language in LANGUAGES:
        lines = (real_data / "mvicuna" / f"{language}.txt").read_text(encoding="utf-8").splitlines()
        told = [identify(words(line.strip(), count)) for line in lines if line.strip()]
        assert len(told) == 70
        assert told.count(language) >= fewest, (language, count, told)
