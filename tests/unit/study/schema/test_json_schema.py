"""The JSON schema for editors: fresh, closed, and every key explained."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from crane.study.schema import json_schema
from jsonschema import Draft202012Validator
from support.places import ROOT
from support.study_config import REMOVE, changed


def properties(
    schema: dict[str, Any], root: dict[str, Any], where: tuple[str, ...] = ()
) -> Iterator[tuple[str, str]]:
    """Yield (dotted key, description) of every property; names given by the user are <name>."""
    schema = {**_resolved(schema, root), **schema}
    for key, value in schema.get("properties", {}).items():
        yield ".".join((*where, key)), {**_resolved(value, root), **value}.get("description", "")
        yield from properties(value, root, (*where, key))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from properties(schema["additionalProperties"], root, (*where, "<name>"))
    for member in schema.get("oneOf", []):
        yield from properties(member, root, where)


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    return root["$defs"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


EDITORS = json.loads(json_schema.SCHEMA.read_text(encoding="utf-8"))


KEYS = list(dict.fromkeys(properties(EDITORS, EDITORS)))


README = (ROOT / "config" / "README.md").read_text(encoding="utf-8")


def test_the_editors_schema_is_fresh() -> None:
    assert json_schema.SCHEMA.read_text(encoding="utf-8") == json_schema.rendered(), "run `make schema`"


def test_the_walk_reaches_everything() -> None:
    assert {"study", "models.<name>.layers", "mask_sets.<name>.budget.fraction", "mask_sets.<name>.seeds",
            "demo.pretraining.seed", "languages.<name>.name", "corpora.files.<name>.revision",
            "judges.<name>.price.input", "open_questions.files.<name>.sha256",
            "sweeps.ablation.rules"} <= dict(KEYS).keys()  # fmt: skip


@pytest.mark.parametrize(("key", "description"), KEYS)
def test_every_key_is_described(key: str, description: str) -> None:
    assert len(description) > 10, f"{key} has no description"
    assert description.endswith("."), f"{key}: {description}"


def test_the_config_readme_explains_every_key() -> None:
    explained = set(re.findall(r"`([^`\n]+)`", README))
    explained |= {part for text in explained for part in text.split(".")}
    missing = [key for key, _ in KEYS if key.rsplit(".", 1)[-1] not in explained]
    assert not missing, f"config/README.md does not mention {missing}"


def test_the_config_readme_explains_nothing_else() -> None:
    keys = {key.replace("<name>", "x") for key, _ in KEYS}
    rows = [row for table in README.split("\n| key |")[1:] for row in table.split("\n\n")[0].splitlines()[2:]]
    documented = [key for row in rows for key in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(documented) > 100
    for name in documented:
        pattern = re.compile(r"(.*\.)?" + re.escape(name).replace(r"\*", r"[^.]+"))
        assert any(pattern.fullmatch(key) for key in keys), (
            f"config/README.md explains `{name}`, which is no key"
        )


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from _objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _objects(value)


def test_the_schema_is_closed() -> None:
    assert EDITORS["additionalProperties"] is False
    for found in _objects(EDITORS):
        extra = found["additionalProperties"]
        assert extra is False if "properties" in found else isinstance(extra, dict), found


def test_editors_accept_the_presets_and_refuse_typing_errors(config: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(EDITORS)
    validator = Draft202012Validator(EDITORS)
    for path in (ROOT / "config").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        if text.startswith("# yaml-language-server: $schema=../workflow/schemas/config.schema.json\n"):
            assert list(validator.iter_errors(yaml.safe_load(text))) == [], path
        else:
            assert re.search(r" overlay on \w+\.yaml", text), (
                f"{path} is a whole study; name its schema in the first line"
            )
    for edits in (
        {"relevance__objectiv": "x"}, {"mask_sets__crane__rule": "best"}, {"judges": REMOVE}, {"sweeps": None},
        {"mask_sets__original": config["mask_sets"]["crane"]}, {"suites__quiz": ["quiz_en", "quiz_en"]},
    ):  # fmt: skip
        assert not validator.is_valid(changed(config, **edits)), edits
