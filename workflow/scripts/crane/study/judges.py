"""The settings of a judge: which of them decide its reply, which how the reply is read, and what it is called.

Read by the Snakefile on every node, so nothing heavy is imported here.
"""

from collections.abc import Mapping
from typing import Any

BASE_URL = "https://api.openai.com/v1"
KEY_VARIABLE = "OPENAI_API_KEY"
_DEFAULT_SPEED = {"concurrency": 8, "timeout": 120, "poll_seconds": 60}
_OF_THE_REQUEST = ("kind", "model", "prompt", "output", "temperature", "seed", "max_tokens", "attempts")
_OF_CHRF = ("kind", "char_order", "word_order")


def request(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the replies, without what is not given."""
    if settings["kind"] == "reference":
        return {key: settings[key] for key in _OF_CHRF}
    chosen = {key: settings[key] for key in _OF_THE_REQUEST if settings.get(key) is not None}
    return {**chosen, "base_url": settings.get("base_url", BASE_URL).rstrip("/")}


def reading(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the parser of a reply needs to know."""
    return {key: settings[key] for key in ("kind", "prompt", "output") if key in settings}


def speed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return concurrency, time-out and pause, and the name of the variable that holds the key ("" for no key)."""
    chosen = {key: settings.get(key, default) for key, default in _DEFAULT_SPEED.items()}
    return {**chosen, "key_variable": settings.get("key_variable", KEY_VARIABLE) or ""}


def describe(settings: Mapping[str, Any]) -> str:
    """Return how tables and figures call a judge: its label, and what it is."""
    if settings["kind"] == "reference":
        return f"{settings['label']} (1-10 from chrF against a reference answer; not an LLM)"
    return f"{settings['label']} ({settings['model']}, prompt {settings['prompt']})"
