"""A judge without an LLM: the similarity of an answer and a known one, chrF (Popovic 2015, sacrebleu)."""

from collections.abc import Mapping
from typing import Any

from sacrebleu.metrics import CHRF

from crane.judging.interface import JudgeError


class ReferenceJudge:
    """Replies with chrF, 0 to 100.

    It replaces an LLM if none can be reached (the demo). It measures agreement with one known answer, not helpfulness.
    """

    def __init__(self, char_order: int = 6, word_order: int = 0) -> None:
        self._chrf = CHRF(char_order=char_order, word_order=word_order)

    def __call__(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Judge a record with `output` and `reference`; return the reply.

        Raises:
            JudgeError: the question has no reference answer, or one that is not text.
        """
        reference = record.get("reference")
        if not reference or not isinstance(reference, str):
            lack = f"the reference answer {reference!r}, not text" if reference else "no reference answer"
            raise JudgeError(f"question {record.get('question')!r} has {lack}; the reference judge needs one")
        chrf = self._chrf.sentence_score(record["output"].strip(), [reference]).score
        return {"text": f"chrF = {chrf!r}"}
