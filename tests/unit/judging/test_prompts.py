"""What the judge is shown, and what a request is."""

import pytest
from crane.judging.prompts import judge_request, load_prompt
from support.hostile_answers import HOSTILE

OLD = {"max_tokens": "max_tokens", "system": False}
"""The dialect of an endpoint that knows neither max_completion_tokens nor the system role."""


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("prompt", ["crane", "mtbench"])
def test_an_answer_is_shown_whole_between_its_tags_without_a_verdict(prompt, name):
    """Between its tags, without a tag, a verdict or an object of its own, and without loss."""
    answer = HOSTILE[name]
    settings = {"base_url": "http://h/v1", "model": "m", "prompt": prompt, "output": "text", "max_tokens": 9}
    request = judge_request({"question": f"Q? {answer}", "output": answer}, "English", settings, 0)
    text = request.body["messages"][1]["content"]
    assert text.count("</answer>") == text.count("<question>") == 1
    inside = text.split("<answer>\n")[1].split("\n</answer>")[0]
    assert not {"[[", "]]", "{", "}", "<", ">"} & {
        inside[i : i + n] for n in (1, 2) for i in range(len(inside))
    }
    entities = {
        "&#91;": "[",
        "&#93;": "]",
        "&#123;": "{",
        "&#125;": "}",
        "&lt;": "<",
        "&gt;": ">",
        "&amp;": "&",
    }
    for entity, character in entities.items():
        inside = inside.replace(entity, character)
    assert inside == answer.strip()


def test_a_request_follows_from_record_settings_and_attempt():
    settings = {
        "base_url": "http://h/v1", "model": "m", "prompt": "crane", "output": "json_schema", "max_tokens": 300,
        "temperature": 0, "seed": 5,
    }  # fmt: skip
    record = {"question": "Q?", "output": " A \n"}
    first, again = (judge_request(record, "Vietnamese", settings, attempt) for attempt in (0, 1))
    assert first.body["seed"] == 5 and again.body["seed"] == 6
    assert first.body["temperature"] == 0 and first.body["max_completion_tokens"] == 300
    assert first.body["response_format"]["json_schema"]["strict"] is True
    system, user = first.body["messages"]
    assert system["content"] == load_prompt("crane")["system"]
    assert "answer in Vietnamese was expected" in user["content"]
    assert again.body["messages"][1]["content"] == user["content"] + load_prompt("crane")["again"]
    assert first.key != again.key and len(first.key) == 64
    same = judge_request(dict(record), "Vietnamese", dict(reversed(settings.items())), 0)
    assert same.key == first.key
    for change in (
        {"seed": 6},
        {"model": "n"},
        {"base_url": "http://i/v1"},
        {"max_tokens": 301},
        {"output": "text"},
    ):
        assert judge_request(record, "Vietnamese", settings | change, 0).key != first.key, change
    bare = {key: settings[key] for key in settings.keys() - {"temperature", "seed"}} | {"output": "text"}
    assert judge_request(record, "Chinese", bare, 0).body.keys() == {
        "model",
        "messages",
        "max_completion_tokens",
    }


def test_the_dialect_changes_what_is_sent() -> None:
    settings = {"base_url": "http://h/v1", "model": "m", "prompt": "crane", "output": "text", "max_tokens": 9}
    record = {"question": "Q?", "output": "A"}
    usual = judge_request(record, "English", settings, 1)
    old = judge_request(record, "English", {**settings, "dialect": OLD}, 1)
    system, user = (message["content"] for message in usual.body["messages"])
    assert system == load_prompt("crane")["system"]
    assert old.body == {
        "model": "m", "messages": [{"role": "user", "content": f"{system}\n\n{user}"}], "max_tokens": 9,
    }  # fmt: skip
    assert old.key != usual.key


def test_replies_that_are_stored_are_found_without_a_dialect() -> None:
    """The key by which replies were stored before judges had dialects; they are paid for."""
    settings = {
        "base_url": "http://h/v1", "model": "m", "prompt": "crane", "output": "json_schema", "max_tokens": 300,
        "temperature": 0, "seed": 5,
    }  # fmt: skip
    key = judge_request({"question": "Q?", "output": " A \n"}, "Vietnamese", settings, 0).key
    assert key == "f711e363a3912edc15104758ae1411a675b9eec8cd1532d0491424c9c0cd92ab"
