"""What YAML 1.1 reads otherwise than it is written, with the line: in configurations and in profiles.

Snakemake has read the files already and gives only the values: `no` is false by then, `24:00:00` is 86400, and of two
keys with one name the first is gone.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_WORDS = {"yes", "no", "on", "off"}
_TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<hours>\d+):(?P<minutes>\d+)(?::(?P<seconds>\d+))?")
_MINUTES = "runtime"
"""The resource of a job's time limit: minutes, or a text like 24h."""
_SITE = "__variables__"
"""Section of the SLURM profile with names of partitions, accounts and GPUs, none of which is true or false."""


def surprises(path: str | Path) -> list[str]:
    """Return one line for each key that is given twice and each value that YAML reads otherwise than it is written.

    Values whose meaning depends on the key (`no` for a boolean, `1e-1` for a number) are left to the check of the
    configuration.

    Args:
        path: a YAML or JSON file that Snakemake could read; others have no lines.
    """
    text = Path(path).read_text(encoding="utf-8-sig")
    problems = _json_problems(text)
    if problems is not None:
        return [f"{path}: {problem}" for problem in problems]
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError:
        return []
    return [f"{path}, line {line}: {problem}" for line, problem in sorted(_walk(root, (), set()))]


def _json_problems(text: str) -> list[str] | None:
    """Return a line for each key that is given twice; None for a text that is not JSON, which Snakemake tries first."""
    problems: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        problems.extend(f"key {name!r} is given twice; remove one" for name in repeated)
        return dict(pairs)

    try:
        json.loads(text, object_pairs_hook=once)
    except ValueError:
        return None
    return problems


def _walk(node: yaml.Node | None, path: tuple[str, ...], seen: set[int]) -> Iterator[tuple[int, str]]:
    """Yield the line and the problem of every surprise below a node; an alias is what its anchor is."""
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        if problem := _value_problem(node, path):
            yield _line(node), f"{'.'.join(path)}: {problem}" if path else problem
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _walk(item, (*path, str(number)), seen)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            inner = (*path, name)
            if problem := _key_problem(key):
                yield _line(key), f"{'.'.join(path) or '(top level)'}: {problem}"
            if (key.tag, name) in lines and key.tag != _MERGE:
                first = lines[key.tag, name]
                yield _line(key), f"{'.'.join(inner)} is given twice, first in line {first}; remove one"
            lines.setdefault((key.tag, name), _line(key))
            yield from _walk(value, inner, seen)


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _plain(node: yaml.ScalarNode) -> bool:
    """Return whether a scalar is without quotes; the loader in C has "" for it, that in Python None."""
    return not node.style


def _key_problem(node: yaml.Node) -> str:
    """Return how YAML reads a name that is not text; nothing for others."""
    if not isinstance(node, yaml.ScalarNode) or node.tag in (f"{_TAG}str", _MERGE):
        return ""
    if _read(node) == node.value:
        return f"the name {node.value} is not a text; put it in quotes: {_quoted(node)}"
    return f"YAML reads the name {node.value} as {_read(node)}; put it in quotes: {_quoted(node)}"


def _value_problem(node: yaml.ScalarNode, path: tuple[str, ...]) -> str:
    """Return how YAML reads a value that no key can mean so; nothing for others."""
    if path[-1:] == (_MINUTES,) and (minutes := _minutes(node.value)) is not None:
        read = f"YAML reads {node.value} as {_read(node)}" if _plain(node) else f"{node.value!r} is no time"
        return f"{read}; a time is given in minutes: {minutes}"
    if not _plain(node) or node.tag == f"{_TAG}str":
        return ""
    number = node.tag.removeprefix(_TAG)
    if number in ("int", "float") and ":" in node.value:
        read = f"YAML reads {node.value} as {_read(node)}, in base 60"
        return f"{read}; write the number, or {_quoted(node)} for the text"
    if number == "int" and re.fullmatch(r"[+-]?0[0-7_]+", node.value):
        plain = node.value.replace("_", "").lstrip("+-0") or "0"
        return f"YAML reads {node.value} as {_read(node)}, in base 8; write {_quoted(node)} for the text, or {plain}"
    if number == "timestamp":
        return f"YAML reads {node.value} as a date; put it in quotes: {_quoted(node)}"
    if path[:1] == (_SITE,) and number == "bool" and node.value.lower() in _WORDS:
        return f"YAML reads {node.value} as {_read(node)}; put it in quotes: {_quoted(node)}"
    return ""


def _read(node: yaml.ScalarNode) -> str:
    """Return the value of a plain scalar, in YAML's words."""
    if node.tag == f"{_TAG}timestamp":
        return "a date"
    value = yaml.safe_load(node.value)
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else f"{'the text ' * isinstance(value, str)}{value}"


def _quoted(node: yaml.ScalarNode) -> str:
    return f'"{node.value}"'


def _minutes(text: str) -> int | None:
    """Return the minutes of a time in SLURM's form, D-HH:MM:SS or HH:MM:SS; None for other values."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    days, hours, minutes, seconds = (
        int(found[name] or 0) for name in ("days", "hours", "minutes", "seconds")
    )
    if (
        found["seconds"] is None and found["days"] is None
    ):  # SLURM: minutes and seconds; people: hours and minutes
        return hours * 60 + minutes
    return days * 1440 + hours * 60 + minutes + (seconds > 0)
