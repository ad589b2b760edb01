"""The judges of a study: their labels and their keys."""

import pytest
from crane.study.check import ConfigError, check
from crane.study.judges import describe, speed


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
