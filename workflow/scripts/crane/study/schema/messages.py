"""Pydantic's errors as lines that name the key, its value, and what is allowed."""

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from crane.study.schema.places import DISCRIMINATORS, KEY, Place, choices, locate
from crane.study.schema.section import Section

RENAMED = {
    ("mask_sets", "lape", "top"): "top_rate",
    ("mask_sets", "lape", "filter"): "filter_rate",
    ("mask_sets", "lape", "bar"): "activation_bar_ratio",
    ("mask_sets", "lape_matched", "filter"): "filter_rate",
    ("mask_sets", "lape_matched", "bar"): "activation_bar_ratio",
    ("perplexity", "", "batch_size"): "evaluation.batch_tokens",
}
"""Former keys: (section of the study, value of its discriminator or "", former key) -> present key."""
SECRET = {
    "key_variable": "the name of an environment variable (capitals, digits and _), never a key itself",
    "base_url": "an http or https address without user name, password or query",
}
"""What keys must be whose invalid values no message repeats, since they may contain an API key."""
_TYPES = {
    "string_type": "a string",
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "a boolean (true or false)",
    "list_type": "a list",
}
_MAPPING = ("model_type", "model_attributes_type", "dict_type")
_LIMITS = {
    "greater_than_equal": ("ge", "is below the minimum of"),
    "less_than_equal": ("le", "is above the maximum of"),
    "greater_than": ("gt", "is not greater than"),
    "less_than": ("lt", "is not less than"),
}
_LONGEST = 120


def lines(error: ValidationError, root: type[Section]) -> list[str]:
    """Return one line per error, in the order of the sections; the missing keys of a section share one.

    Args:
        error: what validation raised.
        root: the model that was validated.
    """
    errors = [(details, locate(root, details["loc"])) for details in error.errors(include_url=False)]
    renamed = {(*place.path[:-1], new) for _, place in errors if (new := _new_name(place))}
    missing: dict[tuple[str, ...], list[str]] = {}
    for details, place in errors:
        path = _missing(details, place)
        if path and path not in renamed:
            missing.setdefault(path[:-1], []).append(path[-1])
    messages: list[str] = []
    for details, place in errors:
        if path := _missing(details, place):
            if keys := missing.pop(path[:-1], None):
                messages.append(f"{_dotted(path[:-1])}: missing key{'s' * (len(keys) > 1)} {', '.join(keys)}")
        else:
            messages.extend(_lines(details, place))
    return list(dict.fromkeys(messages))


def type_name(value: Any) -> str:
    """Return the type of a value in the words of a YAML file."""
    if isinstance(value, Mapping):
        return "keys and values"
    names = {str: "a string", bool: "a boolean", int: "an integer", float: "a number", list: "a list"}
    return "nothing" if value is None else names.get(type(value), type(value).__name__)


def _shown(value: Any) -> str:
    """Return a value as messages show it: YAML's words for true, false and null, long values cut."""
    if value is None:
        return "null"
    if isinstance(value, date):  # also a date with a time
        return value.isoformat()
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _dotted(path: Iterable[str]) -> str:
    return ".".join(path) or "(top level)"


def _missing(details: ErrorDetails, place: Place) -> tuple[str, ...]:
    """Return the path of a missing key; nothing for other errors."""
    if details["type"] == "missing":
        return place.path
    if details["type"] == "union_tag_not_found":
        return (*place.path, _discriminator(details))
    return ()


def _discriminator(details: ErrorDetails) -> str:
    return str(details["ctx"]["discriminator"]).strip("'")


def _lines(details: ErrorDetails, place: Place) -> Iterator[str]:
    """Yield the lines of one error."""
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    where = _dotted(place.path)
    if kind == "problems":
        yield from context["lines"]
    elif kind == "extra_forbidden":
        yield _unknown_key(place, value)
    elif details["loc"][-1:] == (KEY,):
        yield _invalid_name(details, place)
    elif place.path and place.path[-1] in SECRET:
        yield f"{where}: must be {SECRET[place.path[-1]]}"
    elif value is None:
        yield f"{where}: null is not a value; give one, or leave out the key if it is optional"
    elif kind == "union_tag_invalid":
        key = _discriminator(details)
        yield _not_allowed(f"{where}.{key}", value[key], choices(place.type))
    elif kind == "literal_error":
        yield _not_allowed(where, value, get_args(place.type))
    elif kind in _TYPES:
        yield f"{where}: {_wrong_type(_TYPES[kind], value)}"
    elif kind in _MAPPING:
        yield f"{where}: expected keys and values, found {type_name(value)}"
    elif kind in _LIMITS:
        limit, text = _LIMITS[kind]
        yield f"{where}: {value!r} {text} {context[limit]:.12g}"
    elif kind == "too_short":
        entries = "1 entry" if len(value) == 1 else f"{len(value)} entries"
        yield f"{where}: {entries} given, at least {context['min_length']} needed"
    elif kind == "string_pattern_mismatch":
        yield f"{where}: {_shown(value)} is not allowed; {place.description}"
    elif kind == "string_too_short":
        yield f"{where}: must not be empty"
    elif kind == "finite_number":
        yield f"{where}: {value!r} is not a finite number"
    else:
        yield f"{where}: {details['msg']}"


def _hint(word: Any, allowed: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(word), allowed, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _not_allowed(where: str, value: Any, allowed: Iterable[str]) -> str:
    allowed = list(allowed)
    return f"{where}: {_shown(value)} is not allowed; allowed: {', '.join(allowed)}{_hint(value, allowed)}"


def _new_name(place: Place) -> str | None:
    """Return the present name of a former key."""
    if place.type is not None:
        return None
    return RENAMED.get((place.path[0], place.tag, place.path[-1]))


def _unknown_key(place: Place, value: Any) -> str:
    """Return the line of a key that its section does not have."""
    *parent, key = place.path
    where, allowed = _dotted(parent), sorted(place.section.model_fields if place.section else ())
    if new := _new_name(place):
        return f"{where}: key {key!r} is now {new!r}"
    having = [tag for tag, section in place.alternatives.items() if key in section.model_fields]
    if having:
        discriminator = next(name for name in DISCRIMINATORS if name in allowed)
        given = "" if "judges" in parent else f" (value {_shown(value)})"  # a judge's may be a secret
        others = f"{discriminator}: {', '.join(having)}"
        return f"{where}.{key}: has no meaning with {discriminator}: {place.tag}, only with {others}{given}; remove it"
    return f"{where}: unknown key {key!r}; allowed: {', '.join(allowed)}{_hint(key, allowed)}"


def _invalid_name(details: ErrorDetails, place: Place) -> str:
    """Return the line of a name that the study cannot give."""
    parent, name = _dotted(place.path[:-1]), details["input"]
    if not isinstance(name, str):
        return (
            f"{parent}: the name {_shown(name)} is not a string{_quotes_hint(name) or '; put it in quotes'}"
        )
    if details["type"] == "string_pattern_mismatch":
        return f"{parent}: the name {name!r} is not allowed; {place.name_description}"
    return f"{parent}: {details['msg']}"


def _wrong_type(expected: str, value: Any) -> str:
    given = type_name(value) if isinstance(value, Mapping | list) else _shown(value)
    return f"must be {expected}, not {given}{_yaml_hint(expected, value)}"


def _yaml_hint(expected: str, value: Any) -> str:
    """Return what to write where YAML 1.1 has read a value otherwise than it was meant."""
    if expected == "a string":
        return _quotes_hint(value)
    if expected in ("an integer", "a number") and isinstance(value, str) and _is_number(value):
        if "e" not in value.lower():
            return "; remove the quotes"
        # YAML 1.1 reads an exponent only behind a point and with a sign: 1e-3 and 1.0e3 are text.
        number = float(value)
        if expected == "an integer":
            return f"; write {int(number)}" if number.is_integer() else ""
        mantissa, exponent = value.lower().split("e")
        point = "" if "." in mantissa else ".0"
        sign = "" if exponent[:1] in "+-" else "+"
        return f"; write a point before the exponent, and its sign: {mantissa}{point}e{sign}{exponent}"
    return ""


def _quotes_hint(value: Any) -> str:
    if isinstance(value, bool):
        return (
            f"; YAML reads {'yes, on and true' if value else 'no, off and false'} so: put the word in quotes"
        )
    return "; put it in quotes" if isinstance(value, int | float | date) else ""


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
