"""The judges of a study: their labels and their keys."""

import pytest
from crane.study.check import ConfigError, check
from crane.study.judges import describe, request, speed
from crane.study.study import Study
from support.study_config import GPT, REMOVE, changed, messages


def test_the_label_says_what_judges():
    assert "not an LLM" in describe({"kind": "reference", "label": "GPT"})
    gpt = {"kind": "openai", "label": "GPT-4o", "model": "gpt-4o-2024-08-06", "prompt": "crane"}
    assert describe(gpt) == "GPT-4o (gpt-4o-2024-08-06, prompt crane)"


@pytest.mark.parametrize("kind", ["openai", "openai_batch"])
def test_no_server_gets_a_key_that_is_meant_for_another(demo_config, kind):
    """Where an address is given, the key for it is named, or said to be none; OpenAI's is for OpenAI alone."""
    gpt = {
        "kind": kind, "label": "GPT", "model": "m", "prompt": "crane", "output": "text", "max_tokens": 9, "attempts": 1,
    }  # fmt: skip
    elsewhere = {**gpt, "base_url": "http://host/v1"}

    def checked(judge):
        check({**demo_config, "judges": {"gpt": judge}})
        return speed(judge)["key_variable"]

    with pytest.raises(ConfigError, match=r"judges\.gpt: missing key key_variable"):
        checked(elsewhere)
    assert checked(gpt) == "OPENAI_API_KEY"
    assert checked({**elsewhere, "key_variable": None}) == ""
    assert checked({**elsewhere, "key_variable": "MY_KEY"}) == "MY_KEY"


def test_what_decides_a_reply_is_apart_from_speed_and_looks(config):
    gpt = {**GPT, "base_url": "http://host:1/v1/", "price": {"input": 2.5, "output": 10}, "concurrency": 32}
    gpt["key_variable"] = "HOST_KEY"
    study = Study(changed(config, judges__gpt=gpt))
    judges = study.judges
    assert (judges.names, judges.first, judges.paid) == (["reference", "gpt"], "reference", ["gpt"])
    asked = judges.request("gpt")
    assert asked == {key: GPT[key] for key in GPT if key != "label"} | {"base_url": "http://host:1/v1"}
    assert judges.reading("gpt") == {"kind": "openai", "prompt": "crane", "output": "json_schema"}
    expected = {"concurrency": 32, "timeout": 120, "poll_seconds": 60, "key_variable": "HOST_KEY"}
    assert judges.speed("gpt") == expected
    assert judges.files("gpt") == ["prompts/crane.yaml"] and judges.files("reference") == []
    assert judges.labels()["gpt"] == "GPT (gpt-4o-2024-08-06, prompt crane)"
    assert list(judges.labels(["gpt"])) == ["gpt"]
    assert judges.prices() == {"gpt": {"input": 2.5, "output": 10}}
    assert "not an LLM" in study.labels()["judge"]
    assert judges.languages("gpt")["vi"] == "Vietnamese" and judges.languages("reference") == {}


OLD = {"max_tokens": "max_tokens", "system": False}


def test_openais_dialect_is_the_default_and_changes_no_request() -> None:
    default = {"max_tokens": "max_completion_tokens", "system": True}
    assert request({**GPT, "dialect": default}) == request({**GPT, "dialect": {}}) == request(GPT)
    assert request({**GPT, "dialect": {**OLD, "system": True}})["dialect"] == {"max_tokens": "max_tokens"}
    assert request({**GPT, "dialect": OLD})["dialect"] == OLD


def test_a_wrong_dialect_is_one_line(config) -> None:
    check(changed(config, judges__gpt={**GPT, "dialect": OLD}))
    for dialect, told in (
        ({"max_tokens": "max_new_tokens"}, "judges.gpt.dialect.max_tokens"),
        ({"max_tokens": 300}, "judges.gpt.dialect.max_tokens"),
        ({"system": "no"}, "judges.gpt.dialect.system"),
        ({"sytem": False}, "judges.gpt.dialect"),
        ("max_tokens", "judges.gpt.dialect"),
    ):
        (line,) = messages(changed(config, judges__gpt={**GPT, "dialect": dialect}))
        assert line.strip().startswith(told), line


def test_a_study_without_open_questions_has_no_judges(config):
    study = Study(changed(config, open_questions=REMOVE, judges=REMOVE, published=REMOVE))
    judges = study.judges
    assert (judges.names, judges.first, judges.paid) == ([], None, [])
    assert judges.labels() == judges.prices() == {} and study.labels()["judge"] == ""
