"""The configuration: the demo passes, and every wrong one is told what is wrong, where, and what is allowed."""

import copy
import re
from pathlib import Path

import pytest
import yaml
from crane.config import SCHEMA, ConfigError, check
from crane.study import Study

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config():
    return yaml.safe_load((ROOT / "config" / "demo.yaml").read_text(encoding="utf-8"))


REMOVE = object()


def changed(config, **edits):
    """Return a copy with edits; a key is a path with __ for each dot, REMOVE deletes it."""
    result = copy.deepcopy(config)
    for path, value in edits.items():
        *folders, last = path.split("__")
        at = result
        for key in folders:
            at = at[key]
        if value is REMOVE:
            del at[last]
        else:
            at[last] = value
    return result


def messages(config):
    with pytest.raises(ConfigError) as caught:
        check(config)
    lines = str(caught.value).splitlines()
    assert lines[0] == "the configuration is wrong:"
    return lines[1:]


def test_every_config_of_the_repository_passes():
    configs = list((ROOT / "config").glob("*.yaml"))
    assert configs
    for path in configs:
        Study(yaml.safe_load(path.read_text(encoding="utf-8")))


RANDOM = {"label": "R", "method": "random", "seeds": 2}
LOCAL = {"documents": 10, "max_tokens": 8, "seed": 0, "shards": 1, "source": "local"}
WRONG = [
    # (what is edited, all of these stand in one line of the message)
    ({"studdy": "x"}, ["(top level)", "'studdy'", "did you mean 'study'?"]),
    ({"study": "a b"}, ["study", "'a b'"]),
    ({"study": REMOVE}, ["missing key", "study"]),
    ({"relevance__objectiv": "x"}, ["relevance", "'objectiv'", "did you mean 'objective'?", "allowed: aggregate"]),
    ({"relevance__objective": "next"}, ["relevance.objective", "'next'", "next_token_logit, next_token_logprob"]),
    ({"relevance__rules": "lrp"}, ["relevance.rules", "'lrp'", "attnlrp, cp_lrp, input_x_gradient"]),
    ({"relevance__aggregate": "max"}, ["relevance.aggregate", "'max'", "sum, mean, sum_abs, max_abs"]),
    ({"relevance__skip_first": "no"}, ["relevance.skip_first", "'no'", "boolean"]),
    ({"relevance__batch_size": 0}, ["relevance.batch_size", "0", "minimum of 1"]),
    ({"relevance__site": REMOVE}, ["relevance", "missing key site"]),
    ({"mask_sets__crane__method": "krane"}, ["mask_sets.crane.method", "'krane'", "crane, dispersion, lape"]),
    ({"mask_sets__crane__rule": "best"}, ["mask_sets.crane.rule", "'best'", "contrast, target_only, margin"]),
    ({"mask_sets__crane__seeds": 5}, ["mask_sets.crane", "unknown key 'seeds'", "allowed: budget"]),
    ({"mask_sets__crane__normalise": "z"}, ["mask_sets.crane.normalise", "'z'", "layer, global, rank"]),
    ({"mask_sets__crane_threshold__threshold": REMOVE},
     ["mask_sets.crane_threshold.threshold", "missing", "'contrast'"]),
    ({"mask_sets__crane__budget": REMOVE}, ["mask_sets.crane", "'margin'", "threshold or a budget"]),
    ({"mask_sets__crane__budget": {"count": 99999}}, ["mask_sets.crane.budget.count", "99999", "1024"]),
    ({"mask_sets__crane__budget": {"fraction": 1.5}}, ["mask_sets.crane.budget.fraction", "1.5", "maximum of 1"]),
    ({"mask_sets__crane__budget": {"fraction": 0.1, "count": 3}}, ["mask_sets.crane.budget"]),
    ({"mask_sets__random__match": "kran"}, ["mask_sets.random.match", "'kran'", "there are: crane"]),
    ({"mask_sets__again": {**RANDOM, "match": "random"}}, ["mask_sets.again.match", "'random'", "itself matched"]),
    ({"mask_sets__original": {**RANDOM, "match": "crane"}}, ["mask_sets", "'original'"]),
    ({"mask_sets__a-b": {**RANDOM, "match": "crane"}}, ["mask_sets", "'a-b'"]),
    ({"relevance__site": "residual_write"}, ["mask_sets.lape.method", "'lape'", "relevance.site intermediate"]),
    ({"benchmarks__quiz_vi__language": "fr"}, ["benchmarks.quiz_vi.language", "'fr'", "there are: en, zh, vi"]),
    ({"languages__fr": {"name": "French"}}, ["suites.quiz", "0 benchmarks in language 'fr'", "exactly one"]),
    ({"suites__quiz": ["quiz_en", "quiz_zh"]}, ["suites.quiz", "0 benchmarks in language 'vi'"]),
    ({"suites__quiz": ["quiz_en", "quiz_zh"]}, ["benchmarks.quiz_vi", "in no suite"]),
    ({"suites__more": ["quiz_en", "quiz_zh", "quiz_vi"]}, ["suites.more", "'quiz_en'", "already in suite 'quiz'"]),
    ({"suites__quiz": ["quiz_en", "quiz_en", "quiz_zh", "quiz_vi"]}, ["suites.quiz", "non-unique"]),
    ({"suites__quiz": ["quiz_en", "quiz_zh", "quiz_fr"]}, ["suites.quiz", "'quiz_fr'", "there are: quiz_en"]),
    ({"suites__open": ["quiz_en", "quiz_zh", "quiz_vi"]}, ["suites", "'open'"]),
    ({"languages": {"en": {"name": "English"}}}, ["languages"]),
    ({"identification_model": "bas"}, ["identification_model", "'bas'", "there are: base, chat"]),
    ({"transfer_models": ["chat", "big"]}, ["transfer_models", "'big'", "there are: base, chat"]),
    ({"transfer_models": ["base"]}, ["transfer_models", "'base'", "identification model itself"]),
    ({"models__chat__intermediate_size": 128}, ["models.chat.intermediate_size", "128", "256"]),
    ({"models__chat__layers": 5}, ["models.chat.layers", "5", "4"]),
    ({"models__base__path": "models/x"}, ["models.base.path", "'models/x'"]),
    ({"models__base": {"label": "B", "source": "local", "layers": 4, "intermediate_size": 256}},
     ["models.base", "missing key path"]),
    ({"models__base": {"label": "B", "source": "local", "layers": 4, "intermediate_size": 256, "path": "x"}},
     ["models", "finetune_demo", "train_demo"]),
    ({"demo": REMOVE}, ["demo", "missing", "generated"]),
    ({"corpora": LOCAL}, ["corpora", "missing keys files, column"]),
    ({"corpora": {**LOCAL, "column": "text", "files": {"en": "a", "zh": "b"}}},
     ["corpora.files", "no entry for language 'vi'"]),
    ({"corpora": {**LOCAL, "column": "text", "files": {"en": "a", "zh": "b", "vi": "c", "fr": "d"}}},
     ["corpora.files", "'fr'", "there are: en, zh, vi"]),
    ({"corpora__files": {"en": "a"}}, ["corpora.files", "{'en': 'a'}", "remove it"]),
    ({"corpora__documents": 1}, ["corpora.documents", "1", "minimum of 2"]),
    ({"corpora__documents": "many"}, ["corpora.documents", "'many'", "integer"]),
    ({"open_questions__suffix": {"en": "", "zh": ""}}, ["open_questions.suffix", "no entry for language 'vi'"]),
    ({"open_questions__source": "local"}, ["open_questions", "missing key files"]),
    ({"open_questions__style": "chat"}, ["open_questions.style", "'chat'", "lape, raw"]),
    ({"judge__kind": "gpt-4o"}, ["judge.kind", "'gpt-4o'", "reference"]),
    ({"engine": "vlm"}, ["engine", "'vlm'", "hf"]),
    ({"scores__resamples": 10}, ["scores.resamples", "10", "minimum of 100"]),
    ({"mask_sets__theirs": {"label": "T", "method": "import", "file": "x.pth", "languages": ["en", "zh"]}},
     ["mask_sets.theirs.languages", "no entry for language 'vi'"]),
    ({"mask_sets__theirs": {"label": "T", "method": "import", "file": "x.bin", "languages": ["en", "zh", "vi"]}},
     ["mask_sets.theirs.file", "'x.bin'"]),
]  # fmt: skip


@pytest.mark.parametrize(("edits", "parts"), WRONG, ids=lambda v: "-".join(v) if isinstance(v, dict) else "")
def test_wrong_configurations(config, edits, parts):
    lines = messages(changed(config, **edits))
    assert any(all(part in line for part in parts) for line in lines), lines


def test_all_errors_are_told_at_once(config):
    lines = messages(changed(config, relevance__rules="lrp", judge__kind="me", study=REMOVE))
    assert len(lines) == 3


@pytest.mark.parametrize("empty", [None, [], "demo", {}])
def test_what_is_no_mapping_is_told(empty):
    assert messages(empty)


def test_the_config_is_not_changed(config):
    before = copy.deepcopy(config)
    Study(config)
    assert config == before


# Expansion ----------------------------------------------------------------------------------------------


def test_random_sets_are_expanded_by_seed(config):
    study = Study(changed(config, mask_sets__random__seeds=3))
    names = [name for name in study.mask_sets if name.startswith("random")]
    assert names == ["random-0", "random-1", "random-2"]
    assert [study.mask_sets[name]["seed"] for name in names] == [0, 1, 2]
    assert {study.mask_sets[name]["group"] for name in names} == {"random"}
    assert study.by_method("random") == names
    assert study.mask_sets["crane"]["group"] == "crane"


def test_benchmarks_include_the_open_questions(config):
    study = Study(config)
    assert study.benchmarks["quiz_zh"]["suite"] == "quiz"
    assert study.benchmarks["quiz_zh"]["kind"] == "nlu"
    assert study.benchmarks["open_vi"] | {"label": ""} == {
        "label": "", "language": "vi", "kind": "open", "suite": "open", "chance": 1, "highest": 10,
    }  # fmt: skip
    assert study.evaluated_models == ["base", "chat"]
    assert set(study.labels()["benchmarks"]) == set(study.benchmarks)


def test_pick(config):
    study = Study(config)
    assert study.pick("relevance.rules") == "attnlrp"
    picked = study.pick("relevance.site", "corpora.seed")
    assert picked == {"corpora.seed": 0, "relevance.site": "intermediate"}
    assert list(picked) == sorted(picked)
    with pytest.raises(KeyError):
        study.pick("relevance.nothing")


# Documentation ------------------------------------------------------------------------------------------


def properties(schema, root, where=()):
    """Yield (dotted key, its schema) of every property, with $refs resolved; names given by the user are <name>."""
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        yield from properties({**target, **{k: v for k, v in schema.items() if k != "$ref"}}, root, where)
        return
    for key, value in schema.get("properties", {}).items():
        resolved = value
        while "$ref" in resolved:
            resolved = {
                **root["$defs"][resolved["$ref"].rsplit("/", 1)[1]],
                **{k: v for k, v in resolved.items() if k != "$ref"},
            }
        yield ".".join((*where, key)), resolved
        yield from properties(resolved, root, (*where, key))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from properties(schema["additionalProperties"], root, (*where, "<name>"))
    for part in schema.get("allOf", []):
        if "then" in part:
            yield from properties(part["then"], root, where)


SCHEMA_TEXT = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
KEYS = dict(properties(SCHEMA_TEXT, SCHEMA_TEXT))


def test_the_walk_reaches_everything():
    assert {"study", "models.<name>.layers", "mask_sets.<name>.budget.fraction", "mask_sets.<name>.seeds",
            "demo.pretraining.seed", "languages.<name>.name"} <= KEYS.keys()  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_described(key):
    description = KEYS[key].get("description", "")
    assert len(description) > 10, f"{key} has no description"
    assert description.endswith("."), f"{key}: {description}"


def test_the_config_readme_explains_every_key():
    readme = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"`([^`\n]+)`", readme))
    explained |= {part for text in explained for part in text.split(".")}
    missing = [key for key in KEYS if key.rsplit(".", 1)[-1] not in explained]
    assert not missing, f"config/README.md does not mention {missing}"


def closed(schema, where=""):
    """Yield the objects of the schema that would accept a misspelt key."""
    for key, value in schema.items() if isinstance(schema, dict) else enumerate(schema):
        if isinstance(value, (dict, list)):
            if (
                isinstance(value, dict)
                and "properties" in value
                and key not in ("if", "then", "else", "properties")
            ):
                by_method = (
                    any("if" in part for part in value.get("allOf", [])) and "method" in value["properties"]
                )
                if value.get("additionalProperties", True) is True and not by_method:
                    yield f"{where}.{key}"
            yield from closed(value, f"{where}.{key}")


def test_the_schema_is_closed():
    assert SCHEMA_TEXT["additionalProperties"] is False
    assert list(closed(SCHEMA_TEXT)) == []
