"""The text of a judge's reply without what models write around a verdict: thoughts, end tokens, a code fence.

Servers remove these only if they are set up for the model. All functions take linear time, whatever a model writes.
"""

import re

_NAMES = ("think", "thinking", "thought", "reasoning", "seed:think")
_THOUGHTS = {
    **{f"<{name}>": f"</{name}>" for name in _NAMES},
    "[THINK]": "[/THINK]",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "◁think▷": "◁/think▷",
}
"""Opening and closing tags of thoughts."""
_SPACE = re.compile(r"\s*+")
# A chat template may hold the opening tag, so that the reply has the closing one alone, which ends its line. Inside the
# string of a JSON object no line can end.
_CLOSED_ONLY = re.compile(f"(?:{'|'.join(map(re.escape, _THOUGHTS.values()))})[ \t]*+(?:\r?\n|\\Z)")
_LONGEST_TOKEN = 40
_END_TOKEN = re.compile(r"(?:\s+|</s>|<eos>|<end_of_turn>|<\|\w{1,32}\|>|<｜[^<>｜]{1,32}｜>)\Z")
_FENCE = "```"
_LANGUAGE = re.compile(r"(?:json)?\s*", re.IGNORECASE)


def spoken(text: str) -> str:
    """Return a reply without thoughts before it and end tokens after it; "" if it consists of thoughts."""
    return _without_end_tokens(_without_thoughts(text))


def unfenced(text: str) -> str:
    """Return the content of a code fence that encloses a text; other texts are returned as they are."""
    if len(text) < 2 * len(_FENCE) or not (text.startswith(_FENCE) and text.endswith(_FENCE)):
        return text
    inside = text[len(_FENCE) : -len(_FENCE)]
    language = _LANGUAGE.match(inside)
    return inside[language.end() if language else 0 :].strip()


def _without_thoughts(text: str) -> str:
    first = start = _after_space(text, 0)
    while tag := next((tag for tag in _THOUGHTS if text.startswith(tag, start)), None):
        end = text.find(_THOUGHTS[tag], start + len(tag))
        if end < 0:  # cut off within its thoughts
            return ""
        start = _after_space(text, end + len(_THOUGHTS[tag]))
    if start == first and (closed := _CLOSED_ONLY.search(text)):
        start = _after_space(text, closed.end())
    return text[start:]


def _after_space(text: str, start: int) -> int:
    space = _SPACE.match(text, start)
    return space.end() if space else start


def _without_end_tokens(text: str) -> str:
    end = len(text)
    while token := _END_TOKEN.search(text[max(end - _LONGEST_TOKEN, 0) : end]):
        end -= len(token[0])
    return text[:end]
