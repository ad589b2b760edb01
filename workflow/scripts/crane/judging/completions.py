"""What the body of a chat completion says: its text, its refusal, or the server's error.

OpenAI-compatible endpoints differ in how they write these: the content may be a list of parts, thoughts may be parts or
fields of their own, a blocked answer may have no message, and an error may come with status 200. This module knows
these forms; `crane.judging.reply_text` knows what models write around a verdict.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

_USAGE = ("prompt_tokens", "completion_tokens")
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
"""Fields in which servers return the thoughts of a reasoning model."""
_TEXT_PARTS = ("text", "output_text")
_BLOCKED = (
    "content_filter", "prohibited_content", "safety", "recitation", "blocklist", "spii", "sensitive", "refusal",
)  # fmt: skip
"""Values of `finish_reason`, in lower case, that mean a refusal; details may follow (`content_filter: ...`)."""
_OUT_OF_QUOTA = frozenset({
    "insufficient_quota", "insufficient_balance", "billing_hard_limit_reached", "billing_not_active",
    "exceeded_current_quota_error",
})  # fmt: skip


class ServerError(NamedTuple):
    """An error that an endpoint reports in the body of a reply."""

    message: str
    """The server's words; "" if there are none."""
    status: int | None
    """HTTP status that the body states."""
    code: str
    """The server's name for the error, or its status; "" if there is none."""
    out_of_quota: bool
    """Whether the error says that nothing is left to pay with."""
    moderated: bool
    """Whether a gateway refuses the text of this request (OpenRouter does so with status 403)."""


# Completions --------------------------------------------------------------------------------------------


def is_completion(body: Any) -> bool:
    """Return whether the value of a reply's JSON is a chat completion: a message, or a choice that was blocked."""
    choice = _choice(body)
    if choice.get("error"):
        return False
    reason = choice.get("finish_reason")
    return isinstance(choice.get("message"), dict) or (
        choice.get("message") is None and (_blocks(reason) or reason == "length")
    )


def kept(completion: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a chat completion that a response file keeps; malformed ones count as absent.

    Returns:
        text, refusal, thoughts (whether there are any beside the text), finish_reason, model, usage.
    """
    choice = _choice(completion)
    message = _mapping(choice.get("message"))
    content = message.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    usage = _mapping(completion.get("usage"))
    return {
        "text": _joined(content),
        "refusal": _string(message.get("refusal")) or _string(_first(parts, "refusal")),
        "thoughts": any(message.get(name) for name in _THOUGHTS) or _first(parts, "thinking") is not None,
        "finish_reason": _string(choice.get("finish_reason")),
        "model": _string(completion.get("model")),
        "usage": {name: usage[name] if isinstance(usage.get(name), int) else None for name in _USAGE},
    }


def refused(reply: Mapping[str, Any]) -> bool:
    """Return whether a reply, as `kept` returns it, is a refusal: the same request would be refused again."""
    return bool(reply.get("refusal")) or _blocks(reply.get("finish_reason"))


def _blocks(finish_reason: Any) -> bool:
    return isinstance(finish_reason, str) and finish_reason.lower().startswith(_BLOCKED)


def _choice(body: Any) -> dict[str, Any]:
    choices = body.get("choices") if isinstance(body, dict) else None
    return _mapping(choices[0]) if isinstance(choices, list) and choices else {}


def _joined(content: Any) -> str | None:
    """Return the text of a message's content: a string, or a list of parts, of which only those of text count."""
    if not isinstance(content, list):
        return _string(content)
    texts = [
        part.get("text") if isinstance(part, dict) and part.get("type", "text") in _TEXT_PARTS else part
        for part in content
    ]
    return "".join(text for text in texts if isinstance(text, str)) if texts else None


def _first(parts: list[dict[str, Any]], name: str) -> Any:
    return next((part[name] for part in parts if part.get(name)), None)


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


# Errors -------------------------------------------------------------------------------------------------


def error_in(body: Any) -> ServerError | None:
    """Return the error in a body that came with status 200, or None if it states none."""
    body = _only(body)
    if not isinstance(body, dict):
        return None
    if body.get("object") == "error" or body.get("error") is True:
        return described(body)
    error = body.get("error") or _choice(body).get("error")
    return described(error) if error else None


def described(error: Any) -> ServerError:
    """Return what an error object says: a mapping with message and code, a list of one, or a text."""
    error = _only(error)
    if isinstance(error, dict) and isinstance(error.get("error"), dict | str):
        error = _only(error["error"])
    if not isinstance(error, dict):
        return ServerError(error if isinstance(error, str) else "", None, "", False, False)
    names = [str(error[name]) for name in ("code", "type") if isinstance(error.get(name), str | int)]
    return ServerError(
        _words(error),
        _status(error.get("code")),
        next(filter(None, names), ""),
        not _OUT_OF_QUOTA.isdisjoint(names),
        "flagged_input" in _mapping(error.get("metadata")),
    )


def _words(error: Mapping[str, Any]) -> str:
    """Return an error's message, with that of the provider behind a gateway."""
    told = next((error[name] for name in ("message", "msg", "detail") if error.get(name)), "")
    words = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
    provider = _mapping(error.get("metadata")).get("raw")
    return f"{words} ({provider})" if isinstance(provider, str) and provider else words


def _status(code: Any) -> int | None:
    text = str(code)
    return int(text) if len(text) == 3 and text.isdecimal() and text[0] in "45" else None


def _only(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value
