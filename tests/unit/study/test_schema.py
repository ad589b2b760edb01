"""The models of a study's configuration: their errors' messages, and what they leave alone."""

import json
from typing import Any

import pytest
import yaml
from crane.study import check as checking
from crane.study.check import ConfigError, check
from crane.study.evaluations import job_settings, jobs
from crane.study.schema.fields import Given
from crane.study.schema.messages import RENAMED
from crane.study.schema.places import locate
from crane.study.schema.relevance import Relevance
from crane.study.schema.root import StudyConfig
from crane.study.study import Study
from pydantic import Field, ValidationError
from support.study_config import GPT, HUB_CORPUS, HUB_FILES, PINNED, REMOVE, changed, messages

# Optional sections --------------------------------------------------------------------------------------

NO_BENCHMARKS = {"benchmarks": REMOVE, "suites": REMOVE, "sweeps": REMOVE}
NO_QUESTIONS = {"open_questions": REMOVE, "judges": REMOVE}
REST = {"published": REMOVE}


@pytest.mark.parametrize(
    "edits",
    [
        NO_BENCHMARKS,
        NO_QUESTIONS,
        {**NO_BENCHMARKS, "perplexity": REMOVE, "calibration": REMOVE},
        {**NO_QUESTIONS, "perplexity": REMOVE, "calibration": REMOVE},
        {**NO_BENCHMARKS, **NO_QUESTIONS},
    ],
    ids=lambda edits: "without " + ", ".join(edits),
)
def test_a_study_without_some_evaluations_passes(config: dict[str, Any], edits: dict[str, Any]) -> None:
    check(changed(config, **edits, **REST))


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({"judges": REMOVE}, "judges: missing; open_questions and judges need each other"),
        ({"open_questions": REMOVE}, "open_questions: missing; judges and open_questions need each other"),
        ({"suites": REMOVE, "sweeps": REMOVE}, "suites: missing; benchmarks and suites need each other"),
        ({"benchmarks": REMOVE}, "benchmarks: missing; suites and benchmarks need each other"),
        (
            {**NO_BENCHMARKS, **NO_QUESTIONS, "perplexity": REMOVE, "calibration": REMOVE},
            "(top level): nothing to evaluate; give benchmarks and suites, open_questions and judges, or perplexity",
        ),
        (
            {"benchmarks": REMOVE, "suites": REMOVE},
            "sweeps: a sweep evaluates a suite; give benchmarks and suites",
        ),
        (
            {**NO_BENCHMARKS, "datasets": {"mmlu": {**PINNED, "files": ["*"]}}},
            "datasets: used by benchmarks only; give benchmarks and suites",
        ),
    ],
)
def test_sections_that_need_others(config: dict[str, Any], edits: dict[str, Any], expected: str) -> None:
    (line,) = messages(changed(config, **edits, **REST))
    assert line.strip().startswith(expected)


def test_published_benchmarks_exist(config: dict[str, Any]) -> None:
    lines = messages(changed(config, **NO_QUESTIONS))
    assert [line.split(":")[0].strip() for line in lines] == [
        f"published.benchmarks.open_{language}" for language in ("en", "zh", "vi")
    ]


# Messages -----------------------------------------------------------------------------------------------


def test_all_contradictions_are_reported_at_once(config: dict[str, Any]) -> None:
    lines = messages(
        changed(
            config,
            demo__pretraining__heads=3,  # inside a section
            mask_sets__crane_threshold__threshold=REMOVE,
            evaluation__gpus=2,  # between sections
            perplexity__documents=9999,
        )
    )
    keys = {line.split(":")[0].strip() for line in lines}
    assert {"demo.pretraining.heads", "mask_sets.crane_threshold.threshold", "evaluation.gpus",
            "perplexity.documents"} <= keys  # fmt: skip


def test_contradictions_wait_until_every_key_is_valid(config: dict[str, Any]) -> None:
    (line,) = messages(changed(config, relevance__rules="lrp", evaluation__gpus=2))
    assert "relevance.rules" in line


def test_renamed_keys_name_the_present_one(config: dict[str, Any]) -> None:
    former = {"label": "L", "method": "lape", "top": 0.01, "filter": 0.95, "bar": 0.95}
    matched = {"label": "L", "method": "lape_matched", "match": "crane", "filter": 0.95, "bar": 0.95}
    lines = messages(
        changed(config, mask_sets__lape=former, mask_sets__lape_matched=matched, perplexity__batch_size=8)
    )
    assert [line.strip() for line in lines] == [
        f"{f'{section}.{tag}' if tag else section}: key {old!r} is now {new!r}"
        for (section, tag, old), new in RENAMED.items()
    ]


def test_a_missing_key_is_still_reported_beside_a_renamed_one(config: dict[str, Any]) -> None:
    lines = messages(
        changed(config, mask_sets__lape={"label": "L", "method": "lape", "top": 0.01, "bar": 0.9})
    )
    assert any("mask_sets.lape: missing key filter_rate" in line for line in lines), lines


@pytest.mark.parametrize(
    ("edits", "parts"),
    [
        ({"sweeps": None}, ["sweeps: null is not a value"]),
        ({"relevance__batch_tokens": None}, ["relevance.batch_tokens: null is not a value"]),
        ({"mask_sets__crane__relevance": None}, ["mask_sets.crane.relevance: null is not a value"]),
        ({"demo__pretraining__learning_rate": "3e-3"}, ["'3e-3'", "a number", "point before the exponent"]),
        ({"corpora__documents": "5000"}, ["must be an integer, not '5000'; remove the quotes"]),
        ({"corpora__documents": 5000.0}, ["must be an integer, not 5000.0"]),
        ({"corpora__seed": True}, ["corpora.seed: must be an integer, not true"]),
        ({"figures__width": float("nan")}, ["figures.width", "not a finite number"]),
        ({"mask_sets__lape__intervention": {"mean": 1}}, ["mask_sets.lape.intervention.mean", "boolean", "not 1"]),
        (
            {"relevance__rules": "cp_lrp", "relevance__router": "uniform"},
            ["relevance.router: a rule of attnlrp, but rules is cp_lrp; remove it"],
        ),
        (
            {"relevance_variants": {"other": {"rules": "cp_lrp", "router": "uniform"}}},
            ["relevance_variants.other.router: a rule of attnlrp, but rules is cp_lrp; remove it"],
        ),
        ({"relevance": "attnlrp"}, ["relevance: expected keys and values, found a string"]),
        ({"mask_sets": []}, ["mask_sets: expected keys and values, found a list"]),
        ({"mask_sets__lape": {}}, ["mask_sets.lape: missing key method"]),
        ({"mask_sets__crane__budget": {"mach": "lape"}}, ["mask_sets.crane.budget", "'mach'", "did you mean 'match'?"]),
        ({"mask_sets__random__method": "randm"}, ["mask_sets.random.method", "did you mean 'random'?"]),
        ({"mask_sets__crane__crane": 1}, ["mask_sets.crane: unknown key 'crane'"]),  # a tag's name as a key
        ({"models__base__label": 3}, ["models.base.label: must be a string, not 3"]),
        ({"datasets": {"mmlu": {**PINNED, "files": [""]}}}, ["datasets.mmlu.files.0: must not be empty"]),
        (
            {"corpora": {**HUB_CORPUS, **PINNED, "files": {**HUB_FILES, "vi": {**PINNED, "file": "x"}}}},
            ["corpora.files.vi: unknown key 'file'; allowed: files, repository, revision", "did you mean 'files'?"],
        ),
        ({"evaluation__gpus": 2}, ["evaluation.gpus", "'hf'", "not 2"]),
        ({"corpora__shards": 1001}, ["corpora.shards", "1001", "1000"]),
        ({"demo__pretraining__heads": 3}, ["demo.pretraining.heads", "3", "128"]),
        ({"sweeps": {}}, ["sweeps: no sweep", "budget, threshold, ablation, intervention"]),
    ],
)  # fmt: skip
def test_more_wrong_configurations(config: dict[str, Any], edits: dict[str, Any], parts: list[str]) -> None:
    lines = messages(changed(config, **edits))
    assert any(all(part in line for part in parts) for line in lines), lines


def test_names_that_yaml_reads_as_something_else(config: dict[str, Any]) -> None:
    config["languages"] |= yaml.safe_load("no: {name: Norwegian}")
    expected = "the name false is not a string; YAML reads no, off and false so: put the word in quotes"
    assert any(expected in line for line in messages(config))


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("1e-1", "write a point before the exponent, and its sign: 1.0e-1"),
        ("3e3", "write a point before the exponent, and its sign: 3.0e+3"),
        ("1.5e3", "write a point before the exponent, and its sign: 1.5e+3"),
        ("2E-5", "write a point before the exponent, and its sign: 2.0e-5"),
        ("'0.5'", "remove the quotes"),
        ("nan", "must be a number, not 'nan'"),
        ("10%", "must be a number, not '10%'"),
    ],
)
def test_numbers_that_yaml_reads_as_text(config: dict[str, Any], written: str, hint: str) -> None:
    value = yaml.safe_load(written)
    assert isinstance(value, str)
    (line,) = messages(changed(config, demo__pretraining__learning_rate=value))
    assert line.strip().startswith("demo.pretraining.learning_rate: must be a number") and line.endswith(hint)
    if "exponent" in hint:
        assert yaml.safe_load(hint.split()[-1]) == float(written), "what is to be written is a number"
        (line,) = messages(changed(config, corpora__documents=value))
        assert "must be an integer" in line


@pytest.mark.parametrize("written", ["no", "off", "yes", "on", "7", "1.5", "2026-01-02"])
def test_texts_that_yaml_reads_as_something_else(config: dict[str, Any], written: str) -> None:
    (line,) = messages(changed(config, languages__vi__name=yaml.safe_load(written)))
    assert "languages.vi.name: must be a string, not " in line and "in quotes" in line
    assert isinstance(yaml.safe_load(written), bool) == ("YAML reads" in line)


@pytest.mark.parametrize("ending", [".pdf", ".zip", ".docx", ".jsonl.bz2", ".xml", ".arrow"])
@pytest.mark.parametrize("key", ["corpora.files.vi", "open_questions.files.vi", "benchmarks.quiz_vi.data"])
def test_files_that_cannot_be_read_are_refused(config: dict[str, Any], key: str, ending: str) -> None:
    files = {language: f"{language}.jsonl" for language in config["languages"]}
    config["corpora"] |= {"source": "local", "files": dict(files), "column": "text"}
    config["open_questions"] |= {"source": "local", "files": dict(files)}
    path = f"data/vi{ending}"
    (line,) = messages(changed(config, **{key.replace(".", "__"): path}))
    last = "." + ending.rsplit(".", 1)[1]
    assert line.strip().startswith(
        f"{key}: '{path}': cannot read files that end in '{last}'; the ending must be .txt"
    )


@pytest.mark.parametrize(
    "ending", [".txt.gz", ".json", ".csv", ".tsv", ".jsonl.zst", ".parquet", "/*", "/part-*.gz"]
)
def test_files_that_can_be_read_pass(config: dict[str, Any], ending: str) -> None:
    files = {language: f"data/{language}{ending}" for language in config["languages"]}
    config["corpora"] |= {"source": "local", "files": files, "column": "text"}
    check(changed(config, perplexity=REMOVE, calibration=REMOVE, published=REMOVE))


@pytest.mark.parametrize(
    "judge",
    [
        {**GPT, "key_variable": "sk-123abc"},
        {**GPT, "key_variable": {"key": "sk-123abc"}},
        {**GPT, "base_url": "https://me:sk-123abc@host/v1", "key_variable": None},
        {**GPT, "base_url": ["sk-123abc"], "key_variable": None},
        {**GPT, "api_key": "sk-123abc"},
        {**GPT, "price": "sk-123abc"},
        {**GPT, "temperature": {"key": "sk-123abc"}},
        {"kind": "reference", "label": "R", "char_order": 6, "word_order": 0, "key_variable": "sk-123abc"},
        "sk-123abc",
        ["sk-123abc"],
    ],
)
def test_no_secret_is_repeated(config: dict[str, Any], judge: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        check(changed(config, judges__gpt=judge))
    error: BaseException | None = caught.value
    assert "judges.gpt" in str(error)
    while error is not None:  # nor by a traceback, which shows the errors behind an error
        assert "123abc" not in str(error) and "123abc" not in repr(error.args)
        error = error.__cause__ or error.__context__
    with pytest.raises(ValidationError) as hidden:
        StudyConfig.model_validate(changed(config, judges__gpt=judge))
    assert "123abc" not in str(hidden.value)


def test_the_tags_of_unions_are_not_part_of_a_path() -> None:
    place = locate(StudyConfig, ("mask_sets", "crane", "crane", "budget", "match"))
    assert place.path == ("mask_sets", "crane", "budget", "match") and place.type is str
    place = locate(StudyConfig, ("corpora", "hub", "files", "vi", "mapping", "revision"))
    assert place.path == ("corpora", "files", "vi", "revision")
    assert "40 hexadecimal digits" in place.description


# What rules get -----------------------------------------------------------------------------------------


class _WiderRelevance(Relevance):
    temperature: float = Field(default=1, description="A new key with a default.")
    note: Given[str] = Field(default=None, description="A new optional key.")


class _WiderStudy(StudyConfig):
    relevance: _WiderRelevance


def test_a_new_optional_key_changes_no_params(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def handed_out() -> dict[str, Any]:
        study = Study(config)
        assert study.config is config
        return {
            "relevance": study.masks.relevance(""),
            "variant": study.masks.relevance("-logprob"),
            "pick": study.pick("relevance", "corpora", "mask_sets"),
            "selections": {name: study.masks.selection(name) for name in study.masks.every},
            "benchmarks": {name: study.inputs.benchmark(name) for name in study.config["benchmarks"]},
            "jobs": [job_settings(study, "base", sets) for sets in jobs(study, "base")],
            "judge": study.judges.request("reference"),
        }

    before = json.dumps(handed_out())  # numbers as written: 1 is not 1.0
    monkeypatch.setattr(checking, "StudyConfig", _WiderStudy)
    assert check(config).relevance.temperature == 1
    assert json.dumps(handed_out()) == before
