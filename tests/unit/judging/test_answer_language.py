"""Languages of answers, on the published questions and on short answers."""

from pathlib import Path

import numpy as np
import pytest
from crane.judging.answer_language import LanguageIdentifier
from crane.scores.summary import open_items

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
def test_the_language_of_a_text_is_told_where_it_is_sure(identify, text, language):
    assert identify(text, "en") == language


CHINESE, ENGLISH = "法国的首都是巴黎。", "The capital of France is Paris."


def test_codes_of_the_study_are_kept():
    identify = LanguageIdentifier(["zh_Hans", "eng_Latn", "vi"])
    assert identify(CHINESE, "zh_Hans") == identify(CHINESE, "vi") == "zh_Hans"
    assert identify(ENGLISH, "zh_Hans") == identify(ENGLISH, "eng_Latn") == "eng_Latn"


def test_of_two_scripts_of_a_language_the_answer_is_in_the_one_asked_for():
    identify = LanguageIdentifier(["zh_Hans", "zh_Hant", "en"])
    assert identify(CHINESE, "zh_Hans") == "zh_Hans"
    assert identify(CHINESE, "zh_Hant") == "zh_Hant"
    assert identify(CHINESE, "en") == "zh_Hans"


def test_of_a_language_that_lingua_lacks_nothing_is_said():
    """An answer in Cebuano would be taken for Tagalog, and count as a switch to another language."""
    identify = LanguageIdentifier(["ceb", "en", "tl"])
    assert identify("Ang kapital sa Pransiya mao ang Paris ug dako kini nga siyudad.", "ceb") is None
    assert identify(ENGLISH, "ceb") is None
    assert identify(ENGLISH, "en") == "en"


def test_the_share_in_the_language_leaves_out_what_lingua_lacks():
    identify = LanguageIdentifier(["ceb", "zh_Hans", "zh_Hant"])
    answers = [("ceb", ENGLISH), ("zh_Hans", CHINESE), ("zh_Hant", CHINESE), ("zh_Hant", ENGLISH)]
    judgements = [
        {
            "model": "m", "mask_set": "original", "mask_language": "none", "question_id": n, "question": "Q?",
            "score": 5, "language": asked, "answer_language": identify(text, asked),
        }
        for n, (asked, text) in enumerate(answers)
    ]  # fmt: skip
    told = open_items(judgements)["in_language"].tolist()
    assert np.isnan(told[0]) and told[1:] == [1, 1, 0]


def words(text: str, count: int) -> str:
    """Return the first words of a text, two characters of Chinese for each."""
    return text[: 2 * count] if "\u4e00" <= text[0] <= "\u9fff" else " ".join(text.split()[:count])


@pytest.mark.parametrize(("count", "fewest"), [(3, 66), (5, 68), (8, 70), (1000, 70)])
def test_the_published_questions_are_told_by_their_first_words(
    identify, real_data: Path, count: int, fewest: int
):
    """Of 70 questions per language, cut to their first words, nearly all are told; whole ones all."""
    for language in LANGUAGES:
        lines = (real_data / "mvicuna" / f"{language}.txt").read_text(encoding="utf-8").splitlines()
        told = [identify(words(line.strip(), count), "en") for line in lines if line.strip()]
        assert len(told) == 70
        assert told.count(language) >= fewest, (language, count, told)
