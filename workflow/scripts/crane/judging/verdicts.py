"""Parse a judge's reply into a score, or into the reason why there is none.

A verdict counts only in the place that the prompt asks for: at the end of the reply (`Rating: [[5]]`, or a JSON
object), or as the whole reply (structured output). The last of several verdicts counts; a score is never guessed from
anything else, and an answer that prints verdicts does not set its own score (`own_verdict`).
"""

import html
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from crane.judging.completions import refused
from crane.judging.reply_text import spoken, unfenced
from crane.judging.scale import HIGHEST, LOWEST

# Possessive and bounded: a reply or an answer of a million spaces takes no longer than one of a million letters.
_RATING = re.compile(r"rating[\s*_]*+[:：]?+[\s*_]*+\[\[([^\[\]]*+)\]\]", re.IGNORECASE)
# In a `_plain` text, in which a run of white space is one space.
_BRACKETS = re.compile(r"\[ ?\[ ?([0-9]{1,4}) ?\] ?\]")
_SCORE = re.compile(r"score\W{0,12}([0-9]{1,4})(?![0-9])", re.IGNORECASE)
_REFERENCE = re.compile(r"&(?:#[0-9]{1,40}|#[xX][0-9a-fA-F]{1,40}|[A-Za-z][A-Za-z0-9]{1,31});?")
_JSON_ESCAPE = re.compile(r"(?<!\\)\\++u([0-9a-fA-F]{4})")
_DECORATION = re.compile(r"""[\\*_~`"'“”„‘’«»]+""")
_ESCAPED = 5
"""Levels of nested character references that are decoded."""
_INVISIBLE = ("Cf", "Cc", "Mn", "Mc", "Me")
"""Unicode categories that a judge may drop unnoticed: zero-width, control and combining characters."""
_NUMBER = re.compile(r"\s*([0-9]{1,4})\s*")
_DIGITS = re.compile("[0-9]{1,4}")
_CHRF = re.compile(r"chrF = ([0-9.e+-]+)")
QUOTED = "the verdict may be quoted from the answer"


class Verdict(NamedTuple):
    """The verdict of one reply, or of all replies about one answer."""

    score: float | None
    """1 to 10, or None."""
    reason: str | None
    """Why there is no score."""


def _missing(reason: str) -> Verdict:
    return Verdict(None, reason)


def read_reply(reply: Mapping[str, Any], reading: Mapping[str, Any], answer: str) -> Verdict:
    """Return the verdict of one reply.

    Args:
        reply: as `crane.judging.completions.kept` returns it, or `error` if the endpoint refused the request.
        reading: kind of the judge; prompt and output where it is an LLM.
        answer: the answer that was judged.
    """
    if reply.get("error"):
        return _missing(str(reply["error"]))
    text = (reply.get("text") or "").strip()
    if reading["kind"] == "reference":
        return _chrf(text)
    if refused(reply):
        return _missing("refused by the judge")
    cut = reply.get("finish_reason") == "length"
    said = spoken(text)
    if not said:
        thoughts = bool(text) or reply.get("thoughts")
        uncut = "thoughts without a reply" if thoughts else "empty reply"
        return _missing("cut off before any text" if cut else uncut)
    if reading["output"] == "json_schema":
        verdict = _under_schema(text, said, answer)
    elif reading["prompt"] == "mtbench":
        verdict = own_verdict(_rating(said), answer)
    else:
        verdict = own_verdict(_last_object(said), answer)
    return _missing("cut off before the verdict") if cut and verdict.score is None else verdict


def read_replies(replies: Sequence[Mapping[str, Any]], reading: Mapping[str, Any], answer: str) -> Verdict:
    """Return the first verdict that can be parsed, or the last reply's reason."""
    verdict = _missing("not asked")
    for reply in replies:
        verdict = read_reply(reply, reading, answer)
        if verdict.score is not None:
            break
    return verdict


def own_verdict(verdict: Verdict, answer: str) -> Verdict:
    """Refuse a verdict that may be quoted from the answer.

    A judge that ends with a quotation prints a verdict that is not its own. If the answer itself contains verdicts, in
    any form, a verdict with the same number proves nothing.
    """
    if verdict.score is not None and verdict.score in _claims(answer):
        return _missing(QUOTED)
    return verdict


def _claims(answer: str) -> set[int]:
    """Return the scores that an answer prints in the form of a verdict, leniently parsed."""
    plain = _plain(answer)
    return {int(match[1]) for pattern in (_BRACKETS, _SCORE) for match in pattern.finditer(plain)}


def _plain(text: str) -> str:
    """Return a text as a judge might normalise it when repeating it.

    Escapes (character references, JSON's) are decoded; invisible characters, quotation marks and Markdown are removed;
    full-width characters become plain ones, and white space becomes single spaces.
    """
    for _ in range(_ESCAPED):
        unescaped = _REFERENCE.sub(lambda reference: html.unescape(reference[0]), text)
        if unescaped == text:
            break
        text = unescaped
    text = _JSON_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
    if not text.isascii() or not text.isprintable():
        text = "".join(c for c in text if c.isspace() or unicodedata.category(c) not in _INVISIBLE)
        text = unicodedata.normalize("NFKC", text)  # last, because long runs of combining characters are slow
    return " ".join(_DECORATION.sub("", text).split())


def _spaceless(text: str) -> str:
    return _plain(text).replace(" ", "")


def _scored(value: Any) -> Verdict:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and LOWEST <= value <= HIGHEST:
        return Verdict(float(value), None)
    shown = str(value)[:40] if isinstance(value, str | int | float | None) else "a list or an object"
    return _missing(f"no whole number from {LOWEST} to {HIGHEST}: {shown.encode(errors='replace').decode()}")


def _rating(text: str) -> Verdict:
    """Parse `Rating: [[n]]` at the end of a reply; label and number may be bold, and a full stop may follow."""
    ratings = list(_RATING.finditer(text))
    if not ratings:
        return _missing("no verdict")
    if text[ratings[-1].end() :].strip(" \t\r\n*_.。"):
        return _missing("the reply does not end with its verdict")
    number = _NUMBER.fullmatch(ratings[-1][1])
    return _scored(int(number[1]) if number else ratings[-1][1])


def _under_schema(text: str, said: str, answer: str) -> Verdict:
    """Parse a reply that the endpoint should have restricted to one JSON object.

    If anything is around the object (thoughts, an end token, a code fence), the endpoint does not restrict the judge,
    and the verdict counts like one in free text.
    """
    verdict = _whole_object(text)
    if verdict.score is None:
        text = unfenced(said)
        verdict = own_verdict(_whole_object(text), answer)
    if verdict.score is not None and _spaceless(text) in _spaceless(answer):
        return _missing(QUOTED)
    return verdict


def _whole_object(text: str) -> Verdict:
    try:
        value = json.loads(text, object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError):  # broken, a repeated key, a number of 5,000 digits
        return _missing("the reply is not one JSON object")
    return _score_of(value)


def _last_object(text: str) -> Verdict:
    """Parse the last JSON object, which must end the reply; anything that looks like broken JSON makes it missing.

    A reply that was truncated inside a quotation would otherwise end with the quoted object.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_unambiguous)
    value, end = None, 0
    while (start := text.find("{", end)) >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):  # broken, a repeated key, a number of 5,000 digits
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
    """An object with a repeated key."""


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise _RepeatedKeyError
    return dict(pairs)


def _chrf(text: str) -> Verdict:
    """Map chrF 0..100 to 1..10."""
    match = _CHRF.fullmatch(text)
    return Verdict(1 + 9 * float(match[1]) / 100, None) if match else _missing("no chrF")
