"""The demo's texts, benchmark and open questions, and what decides them."""

import pytest
from crane.demo.texts import (
    DataSettings,
    benchmark_items,
    held_out_keys,
    identification_documents,
    open_questions,
    question,
    statement,
    training_documents,
)
from crane.demo.world import read_world
from support.demo_world import LANGUAGES, SMALL, TEMPLATES


def test_quiz_and_open_questions_are_parallel(worlds):
    settings = DataSettings(benchmark=60, questions=20)
    quizzes = {code: benchmark_items(world, settings) for code, world in worlds.items()}
    facts = {code: [item["fact"] for item in items] for code, items in quizzes.items()}
    assert facts["en"] == facts["zh"] == facts["vi"] and len(set(facts["en"])) == 60
    answers = {code: [item["answer"] for item in items] for code, items in quizzes.items()}
    assert answers["en"] == answers["zh"] == answers["vi"]
    for code, world in worlds.items():
        objects = {fact.key: fact.object for fact in world.facts}
        for item in quizzes[code]:
            assert item["choices"][item["answer"]] == objects[item["fact"]]
            assert len(set(item["choices"])) == 4
    asked = {code: [q["relation"] for q in open_questions(world, settings)] for code, world in worlds.items()}
    assert asked["en"] == asked["zh"] == asked["vi"]


@pytest.mark.parametrize(
    "write", [training_documents, identification_documents, benchmark_items, open_questions]
)
def test_the_seed_decides_everything(worlds, write):
    again = read_world(TEMPLATES / "vi.yaml", "vi")
    assert write(worlds["vi"], SMALL) == write(again, SMALL)
    assert write(worlds["vi"], SMALL) != write(again, DataSettings(**{**vars(SMALL), "seed": 1}))


def test_the_draw_is_the_same_in_every_process(worlds):
    """Pinned: hash() would differ from process to process."""
    keys = sorted(held_out_keys(worlds["en"], DataSettings()))
    assert keys[:4] == ["capital:AR", "capital:CN", "capital:CU", "capital:HU"]


def test_a_longer_benchmark_changes_nothing_else(worlds):
    longer = DataSettings(**{**vars(SMALL), "benchmark": 60})
    world = worlds["zh"]
    assert benchmark_items(world, longer)[:30] == benchmark_items(world, SMALL)
    assert open_questions(world, longer) == open_questions(world, SMALL)


@pytest.mark.parametrize("language", LANGUAGES)
def test_held_out_facts_are_stated_but_never_asked(worlds, language):
    world, settings = worlds[language], DataSettings()
    held_out = held_out_keys(world, settings)
    assert 0.2 < len(held_out) / len(world.facts) < 0.3
    records = training_documents(world, settings)
    asked = {
        line.removeprefix("Q: ")
        for record in records
        if record["kind"] == "questions"
        for line in record["text"].split("\n")[::2]
    }
    told = "\n".join(record["text"] for record in records if record["kind"] == "statements")
    for fact in world.facts:
        assert any(statement(fact, t) in told for t in world.statements[fact.relation])
        in_question_form = any(question(fact, t) in asked for t in world.questions[fact.relation])
        assert in_question_form == (fact.key not in held_out)


@pytest.mark.parametrize("language", LANGUAGES)
def test_benchmark_items_have_one_right_choice_and_are_not_asked_openly(worlds, language):
    world, settings = worlds[language], DataSettings()
    answers = {(fact.relation, fact.subject): fact.object for fact in world.facts}
    items = benchmark_items(world, settings)
    assert len(items) == 200 and any(item["held_out"] for item in items)
    for item in items:
        assert len(set(item["choices"])) == 4
        assert item["choices"][item["answer"]] == answers[item["relation"], item["subject"]]
    asked = {item["question"] for item in items}
    assert not asked & {record["question"] for record in open_questions(world, settings)}
    texts = [record["text"] for record in identification_documents(world, settings)]
    assert len(texts) == len(set(texts)) == settings.identification


def test_too_much_is_refused(worlds):
    with pytest.raises(ValueError, match="en: `benchmark` \\+ `questions` = 1040"):
        benchmark_items(worlds["en"], DataSettings(benchmark=1000))
