"""The demo's world, texts and models."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from crane.demo import training
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
from crane.demo.training import BaseSettings, ChatSettings, train_base, train_chat, train_tokenizer
from crane.demo.world import RELATIONS, World, WorldError, read_world
from transformers import AutoModelForCausalLM, AutoTokenizer

TEMPLATES = Path(__file__).parents[2] / "resources" / "demo"
LANGUAGES = ("en", "zh", "vi")
SMALL = DataSettings(documents=600, identification=50, benchmark=30, questions=5)
TINY = {"steps": 3, "batch_size": 2, "length": 32}


@pytest.fixture(scope="module")
def worlds() -> dict[str, World]:
    return {language: read_world(TEMPLATES / f"{language}.yaml", language) for language in LANGUAGES}


@pytest.fixture(scope="module")
def documents(worlds) -> list[dict[str, str]]:
    return [record for world in worlds.values() for record in training_documents(world, SMALL)]


@pytest.fixture
def one_thread():
    """Training sets the process's threads: give the next tests what they had."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


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
def test_benchmark_items(worlds, language):
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


def test_tokenizer_round_trip_and_bos(tmp_path, documents):
    train_tokenizer([record["text"] for record in documents], 800).save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    texts = [record["text"] for record in documents[::100]]
    for text in [*texts, " Paris", "Thủ đô  của Việt Nam , là gì ?", "法国 的首都；naïve 😀\n\n"]:
        assert tokenizer(text)["input_ids"][0] == tokenizer.bos_token_id
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.bos_token_id not in ids
        assert tokenizer.decode(ids) == text
    tokens = tokenizer.tokenize("法国的首都")
    assert len(tokens) >= 5  # no token joins two Han characters


def test_training_writes_ordinary_folders_bitwise_the_same(tmp_path, documents, one_thread):
    base, again, chat = (tmp_path / name for name in ("base", "again", "chat"))
    settings = BaseSettings(vocabulary=600, hidden_size=16, intermediate_size=32, layers=2, **TINY)
    train_base(documents, base, settings, threads=1)
    train_base(documents, again, settings, threads=1)
    train_chat(documents, base, chat, ChatSettings(**TINY), threads=1)
    assert (base / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()
    assert (base / "model.safetensors").read_bytes() != (chat / "model.safetensors").read_bytes()
    for folder in (base, chat):
        model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        assert model.config.model_type == "llama" and not model.generation_config.do_sample
        assert len(tokenizer) == model.config.vocab_size and tokenizer.model_max_length == 512
        assert len(manifest["losses"]) == 3 and manifest["settings"]["batch_size"] == 2
    turns = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "I"}]
    assert tokenizer.apply_chat_template(turns, tokenize=False) == "<s>Q: Who?\nA: I\n"
    assert {path.name for path in tmp_path.iterdir()} == {"base", "again", "chat"}


def test_an_interrupted_run_leaves_nothing(tmp_path, documents, monkeypatch, one_thread):
    (tmp_path / ".base.partial").mkdir()  # of a run that was killed

    def interrupt(*_: object) -> None:
        assert (tmp_path / ".base.partial" / "model.safetensors").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "write_json", interrupt)
    settings = BaseSettings(vocabulary=600, hidden_size=16, intermediate_size=32, layers=1, **TINY)
    with pytest.raises(KeyboardInterrupt):
        train_base(documents, tmp_path / "base", settings, threads=1)
    assert list(tmp_path.iterdir()) == []
