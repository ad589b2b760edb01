"""The check of a configuration: against the schema, then across keys; one line per error."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from crane.errors import CraneError
from crane.study.contradictions import contradictions

SCHEMA = Path(__file__).parents[3] / "schemas" / "config.schema.yaml"
SECRETIVE = {
    "key_variable": "the name of an environment variable (capitals, digits and _), never a key itself",
    "base_url": "an http or https address without user name, password or query",
}
"""Keys whose wrong values no message repeats, and what they must be."""


class ConfigError(CraneError, ValueError):
    """The configuration is wrong; one line per error."""


def _path(error: ValidationError) -> str:
    return ".".join(str(part) for part in error.absolute_path) or "(top level)"


def _message(error: ValidationError) -> str:
    """Say which key, which value, and what is allowed."""
    where, schema = _path(error), error.schema
    if error.validator == "additionalProperties":
        allowed = sorted(schema.get("properties", {}))
        lines = []
        for key in sorted(set(error.instance) - set(allowed)):
            close = difflib.get_close_matches(key, allowed, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            lines.append(f"{where}: unknown key {key!r}; allowed: {', '.join(allowed)}{hint}")
        return "\n".join(lines)
    if error.validator == "enum":
        return f"{where}: {error.instance!r} is not allowed; allowed: {', '.join(map(str, schema['enum']))}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"{where}: missing key{'s' * (len(missing) > 1)} {', '.join(missing)}"
    if error.validator in ("pattern", "type") and error.path and error.path[-1] in SECRETIVE:
        return (
            f"{where}: must be {SECRETIVE[str(error.path[-1])]}"  # not shown: a key may stand here by mistake
        )
    if error.validator == "not" and "propertyNames" in error.absolute_schema_path:
        return f"{where}: the name {error.instance!r} is reserved; choose another"
    if error.validator == "not":
        return f"{where}: has no meaning here (value {error.instance!r}); remove it"
    if error.validator == "pattern" and "description" in schema:
        return f"{where}: {error.instance!r} is not allowed; {schema['description']}"
    return f"{where}: {error.message}"


def check(config: Mapping[str, Any]) -> None:
    """Check a configuration against the schema, then across keys.

    Raises:
        ConfigError: with one line per error: the key, its value, and what is allowed.
    """
    if not isinstance(config, Mapping):
        found = f"(top level): expected keys and values, found {type(config).__name__}"
        raise ConfigError(f"the configuration is wrong:\n  {found}")
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    errors = sorted(
        Draft202012Validator(schema).iter_errors(dict(config)), key=lambda e: list(map(str, e.path))
    )
    problems = list(dict.fromkeys(line for e in errors for line in _message(e).splitlines()))
    if not problems:
        problems = list(contradictions(config))
    if problems:
        raise ConfigError("the configuration is wrong:\n" + "\n".join(f"  {line}" for line in problems))
