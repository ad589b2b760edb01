"""From an answer to the body of the judge's request: the answer is data, so it is delimited and escaped."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import yaml

from crane.judging.interface import Request
from crane.judging.scale import HIGHEST, LOWEST

PROMPTS = Path(__file__).parents[3] / "prompts"
VERDICT_SCHEMA = {
    "name": "verdict",
    "strict": True,
    "schema": {
        "type": "object",
        "additionalProperties": False,
        "required": ["score", "reason"],
        "properties": {
            "score": {"type": "integer", "enum": list(range(LOWEST, HIGHEST + 1))},
            "reason": {"type": "string"},
        },
    },
}
# Character references: the text stays whole, but no longer has the form of a verdict or of a JSON object.
_DISARMED = {"[[": "&#91;&#91;", "]]": "&#93;&#93;", "{": "&#123;", "}": "&#125;"}


@cache
def load_prompt(name: str) -> dict[str, str]:
    """Read a prompt of `workflow/prompts`: verdict, system, user, again."""
    return yaml.safe_load((PROMPTS / f"{name}.yaml").read_text(encoding="utf-8"))


def disarm(text: str) -> str:
    """Escape a text, as XML, for its place between tags; nothing is lost.

    It cannot close its tag (`<` and `&` are escaped). Double brackets and braces are escaped as well, so that a judge
    that repeats the text does not print anything in the form of a verdict.
    """
    return escape(text, _DISARMED)


def judge_request(
    record: Mapping[str, Any], language: str, settings: Mapping[str, Any], attempt: int
) -> Request:
    """Return the request about one answer.

    A repeated request says that the last reply could not be parsed, and has the next seed: the same request at
    temperature 0 would get the same reply.

    Args:
        record: `question` and `output`.
        language: English name of the language asked in.
        settings: base_url, model, prompt, output, max_tokens; temperature and seed if they are to be sent; dialect if
            it is not OpenAI's.
        attempt: 0, or the number of the repetition.
    """
    prompt = load_prompt(settings["prompt"])
    values = {
        "language": language,
        "question": disarm(record["question"]),
        "answer": disarm(record["output"].strip()),
    }
    dialect = settings.get("dialect", {})
    user = _filled(prompt["user"], values) + (prompt["again"] if attempt else "")
    body: dict[str, Any] = {
        "model": settings["model"],
        "messages": _messages(prompt["system"], user, dialect.get("system", True)),
        dialect.get("max_tokens", "max_completion_tokens"): settings["max_tokens"],
    }
    if "temperature" in settings:
        body["temperature"] = settings["temperature"]
    if "seed" in settings:
        body["seed"] = settings["seed"] + attempt
    if settings["output"] == "json_schema":
        body["response_format"] = {"type": "json_schema", "json_schema": VERDICT_SCHEMA}
    return Request(settings["base_url"], body, attempt)


def _messages(system: str, user: str, with_system: bool) -> list[dict[str, str]]:
    """Return the messages of a request; without a system role its text stands before the user's."""
    if not with_system:
        return [{"role": "user", "content": f"{system}\n\n{user}"}]
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Fill all placeholders in one pass, so that a value is never searched for placeholders."""
    return re.sub(r"\{(language|question|answer)\}", lambda place: values[place[1]], template)
