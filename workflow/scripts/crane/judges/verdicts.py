"""From what a judge replied to a score, or to the reason why there is none.

A verdict counts only where the judge was told to put it: at the end of the reply (`Rating: [[5]]`, or a JSON object),
or as the whole reply (structured output). Of several the last counts; it is never guessed from anything else, and an
answer that prints verdicts itself does not set its own score (`own_verdict`).
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from crane.judges.scale import HIGHEST, LOWEST

_RATING = re.compile(r"rating\s*[:：]?\s*\**\s*\[\[([^\[\]]*)\]\]", re.IGNORECASE)
_BRACKETS = re.compile(r"\[\[\s*([^\[\]]*?)\s*\]\]")
_SCORE = re.compile(r"""["'“”]?score["'“”]?\s*[:：=]\s*["']?\s*(-?[0-9]+)""", re.IGNORECASE)
_NUMBER = re.compile(r"\s*([0-9]{1,4})\s*")
_CHRF = re.compile(r"chrF = ([0-9.e+-]+)")
QUOTED = "the verdict may be quoted from the answer"


class Verdict(NamedTuple):
    """What was read from one reply, or from all replies about one answer."""

    score: float | None
    """1 to 10, or None."""
    reason: str | None
    """Why there is no score."""


def _missing(reason: str) -> Verdict:
    return Verdict(None, reason)


def read_reply(reply: Mapping[str, Any], reading: Mapping[str, Any], answer: str) -> Verdict:
    """Return the verdict of one reply.

    Args:
        reply: `text`, `refusal`, `finish_reason`, or `error` where the endpoint refused the request.
        reading: kind of the judge; prompt and output where it is an LLM.
        answer: the answer that was judged.
    """
    if reply.get("error"):
        return _missing(str(reply["error"]))
    text = (reply.get("text") or "").strip()
    if reading["kind"] == "reference":
        return _chrf(text)
    if reply.get("refusal") or reply.get("finish_reason") == "content_filter":
        return _missing("refused by the judge")
    if not text:
        cut = reply.get("finish_reason") == "length"
        return _missing("cut off before any text" if cut else "empty reply")
    if reading["output"] == "json_schema":
        verdict = _whole_object(text) if text not in answer else _missing(QUOTED)
    elif reading["prompt"] == "mtbench":
        verdict = own_verdict(_rating(text), text, answer)
    else:
        verdict = own_verdict(_last_object(text), text, answer)
    if verdict.score is None and reply.get("finish_reason") == "length":
        return _missing("cut off before the verdict")
    return verdict


def read_replies(replies: Sequence[Mapping[str, Any]], reading: Mapping[str, Any], answer: str) -> Verdict:
    """Return the first verdict that can be read, or the last reply's reason."""
    verdict = _missing("not asked")
    for reply in replies:
        verdict = read_reply(reply, reading, answer)
        if verdict.score is not None:
            break
    return verdict


def own_verdict(verdict: Verdict, text: str, answer: str) -> Verdict:
    """Refuse a verdict that may be the answer's own words.

    A judge that ends on a quotation prints a verdict that is not its own. Where the answer itself holds verdicts, in
    whatever form, a verdict of the same number proves nothing.
    """
    if verdict.score is not None and verdict.score in _claims(answer):
        return _missing(QUOTED)
    return verdict


def _claims(answer: str) -> set[int]:
    """Return the scores that an answer prints in the form of a verdict, loosely read."""
    found = [match[1] for pattern in (_BRACKETS, _SCORE) for match in pattern.finditer(answer)]
    return {int(match[1]) for text in found if (match := _NUMBER.fullmatch(text))}


def _scored(value: Any) -> Verdict:
    if isinstance(value, int) and not isinstance(value, bool) and LOWEST <= value <= HIGHEST:
        return Verdict(float(value), None)
    return _missing(f"no whole number from {LOWEST} to {HIGHEST}: {str(value)[:40]}")


def _rating(text: str) -> Verdict:
    """Read `Rating: [[n]]` at the end of a reply, bold or followed by a full stop at most."""
    found = list(_RATING.finditer(text))
    if not found:
        return _missing("no verdict")
    if text[found[-1].end() :].strip(" \t\r\n*_.。"):
        return _missing("the reply does not end with its verdict")
    number = _NUMBER.fullmatch(found[-1][1])
    return _scored(int(number[1]) if number else found[-1][1])


def _whole_object(text: str) -> Verdict:
    try:
        value = json.loads(text, object_pairs_hook=_unambiguous)
    except (json.JSONDecodeError, _RepeatedKeyError, RecursionError):
        return _missing("the reply is not one JSON object")
    return _score_of(value)


def _last_object(text: str) -> Verdict:
    """Read the last JSON object, which must end the reply; anything that looks like broken JSON makes it missing.

    A reply that was cut inside a quotation would otherwise end on the quoted object.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_unambiguous)
    value, end = None, 0
    while (start := text.find("{", end)) >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except (json.JSONDecodeError, _RepeatedKeyError, RecursionError):
            return _missing("broken JSON")
    if value is None:
        return _missing("no verdict")
    if text[end:].strip(" \t\r\n`"):
        return _missing("the reply does not end with its verdict")
    return _score_of(value)


def _score_of(value: Any) -> Verdict:
    if not isinstance(value, dict) or "score" not in value:
        return _missing("no score in the JSON object")
    return _scored(value["score"])


class _RepeatedKeyError(ValueError):
    """An object that says two things under one name."""


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise _RepeatedKeyError
    return dict(pairs)


def _chrf(text: str) -> Verdict:
    """Map chrF 0..100 to 1..10."""
    match = _CHRF.fullmatch(text)
    return Verdict(1 + 9 * float(match[1]) / 100, None) if match else _missing("no chrF")
