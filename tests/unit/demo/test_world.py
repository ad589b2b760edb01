"""The demo's world: the same facts in every language, with names from CLDR."""

import pytest
import yaml
from crane.demo.world import RELATIONS, WorldError, read_world
from support.demo_world import LANGUAGES, TEMPLATES


def test_the_same_facts_in_every_language(worlds):
    keys = [[fact.key for fact in world.facts] for world in worlds.values()]
    assert keys[0] == keys[1] == keys[2]
    assert len(keys[0]) == len(set(keys[0])) >= 400
    assert {fact.relation for fact in worlds["en"].facts} == set(RELATIONS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_relation_has_templates(worlds, language):
    for relation in RELATIONS:
        assert 2 <= len(worlds[language].statements[relation]) <= 4
        assert 1 <= len(worlds[language].questions[relation]) <= 2


def test_names_come_from_cldr(worlds):
    facts = {language: {fact.key: fact for fact in world.facts} for language, world in worlds.items()}
    assert facts["en"]["currency:JP"].object == "Japanese yen"
    assert facts["zh"]["language:FR"].object == "法语"
    assert facts["vi"]["language:FR"].object == "tiếng Pháp"
    assert facts["en"]["continent:BR"].object == "the Americas"
    assert facts["vi"]["next_month:12"].object == "tháng 1"
    assert facts["en"]["sum:2+3"].object == "five"


def broken(data: dict, relation: str, change: dict | None) -> dict:
    relations = dict(data["relations"])
    relations[relation] = {**relations[relation], **(change or {})}
    if change is None:
        del relations[relation]
    return {**data, "relations": relations}


@pytest.mark.parametrize(
    ("relation", "change", "message"),
    [
        ("legs", None, "relation 'legs' is missing"),
        ("legs", {"questions": []}, "relation 'legs' has no 'questions'"),
        ("capital", {"objects": None}, "relation 'capital' has no 'objects'"),
        (
            "food",
            {"statements": ["Nothing."]},
            r"'Nothing.' in 'statements' must have \{object\} and \{subject\}",
        ),
        ("colour", {"facts": {"a": ["x", "y"], "b": ["x", "z"]}}, "'colour' has two facts about 'x'"),
        ("colour", {"facts": {"a": ["x", "y"]}}, "'colour' has fewer than 4 different objects"),
    ],
)
def test_a_broken_template_file_is_named(tmp_path, relation, change, message):
    data = yaml.safe_load((TEMPLATES / "en.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "en.yaml"
    path.write_text(yaml.safe_dump(broken(data, relation, change), allow_unicode=True), encoding="utf-8")
    with pytest.raises(WorldError, match=f"en.yaml: .*{message}"):
        read_world(path, "en")


def test_an_unknown_language_is_named():
    with pytest.raises(WorldError, match="'tlh_XX' is not a language"):
        read_world(TEMPLATES / "en.yaml", "tlh_XX")
