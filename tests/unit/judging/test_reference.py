"""The reference judge's scale and refusals."""

import pytest
from crane.judging.interface import JudgeError
from crane.judging.reference import ReferenceJudge
from crane.judging.verdicts import read_reply
from sacrebleu.metrics import CHRF


def judged(output, reference="The currency of Japan is the yen.", **settings):
    reply = ReferenceJudge(**settings)({"question": "q", "output": output, "reference": reference})
    return read_reply(reply, {"kind": "reference"}, output).score


def test_the_scale_ends_at_the_reference_itself_and_at_nothing_of_it():
    assert judged("The currency of Japan is the yen.") == pytest.approx(10)
    assert judged("  The currency of Japan is the yen.\n") == pytest.approx(10)
    assert judged("") == pytest.approx(1, abs=0.05)
    assert judged("北京") == pytest.approx(1, abs=0.05)
    assert 1 < judged("Yen.") < judged("The currency is the yen.") < 10


@pytest.mark.parametrize(("char_order", "word_order"), [(6, 0), (3, 0), (6, 2)])
def test_the_score_is_chrf(char_order, word_order):
    output, reference = "Ha Noi is a capital", "The capital of Viet Nam is Ha Noi"
    chrf = CHRF(char_order=char_order, word_order=word_order)
    expected = 1 + 9 * chrf.sentence_score(output, [reference]).score / 100
    assert judged(output, reference, char_order=char_order, word_order=word_order) == expected


@pytest.mark.parametrize("record", [{}, {"reference": ""}, {"reference": None}])
def test_a_missing_reference_names_the_question(record):
    with pytest.raises(JudgeError, match="'Which month' has no reference answer"):
        ReferenceJudge()({"question": "Which month", "output": "May", **record})


@pytest.mark.parametrize("reference", [4, 0.5, True, ["May"], {"text": "May"}])
def test_a_reference_that_is_no_text_names_the_question(reference):
    with pytest.raises(JudgeError, match=r"'Which month' has the reference answer .*, not text"):
        ReferenceJudge()({"question": "Which month", "output": "May", "reference": reference})


@pytest.mark.parametrize("word", ["巴黎", "Paris", "hai", "7"])
def test_a_short_right_answer_gets_full_marks(word: str) -> None:
    """Answers shorter than the longest n-gram: chrF must use the orders that exist."""
    assert judged(f" {word}\n", word) == pytest.approx(10)
