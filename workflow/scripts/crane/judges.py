"""Judges of open-ended answers: a score from 1 (worst) to 10 per answer, or None with the reason."""

from typing import Any, NamedTuple

from crane.errors import CraneError

JUDGES = {"reference": "reference judge (1-10 from chrF against a reference answer; not an LLM)"}
"""The judges and the label under which their scores appear in every table and figure."""


class JudgeError(CraneError, ValueError):
    """A judge cannot score what it was given."""


def make_judge(kind: str, **settings: Any) -> "ReferenceJudge":
    """Return the judge of a configuration.

    Raises:
        JudgeError: unknown kind.
    """
    if kind != "reference":
        raise JudgeError(f"unknown judge {kind!r}; known: {', '.join(JUDGES)}")
    return ReferenceJudge(**settings)


class Judgement(NamedTuple):
    """The verdict on one answer."""

    response: str
    """What the judge said, unparsed."""
    score: float | None
    """1 to 10, or None where no verdict could be read."""


class ReferenceJudge:
    """Maps the similarity of answer and reference, chrF 0..100 (Popovic 2015, sacrebleu), to 1..10.

    It replaces an LLM where none can be reached (the demo): it measures agreement with one known answer, not
    helpfulness.
    """

    def __init__(self, char_order: int = 6, word_order: int = 0) -> None:
        # Imported here: the Snakefile reads `JUDGES` and must not wait for sacrebleu.
        from sacrebleu.metrics import CHRF

        self._chrf = CHRF(char_order=char_order, word_order=word_order)

    def __call__(self, record: dict[str, Any]) -> Judgement:
        """Judge a record with `output` and `reference`.

        Raises:
            JudgeError: the question has no reference answer.
        """
        reference = record.get("reference")
        if not reference:
            raise JudgeError(
                f"question {record.get('question')!r} has no reference answer; the reference judge needs one"
            )
        chrf = self._chrf.sentence_score(record["output"].strip(), [reference]).score
        return Judgement(response=f"chrF = {chrf:.4f}", score=1 + 9 * chrf / 100)
