"""Settings of open questions: what a chat template is told."""

from typing import Any

import pytest
from crane.study.check import check
from support.study_config import changed, messages


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"template": {"enable_thinking": [1]}}, "template.enable_thinking: must be a string, a number or a boolean"),
        ({"template": {"enable_thinking": None}}, "template.enable_thinking: null is not a value"),
        ({"template": None}, "template: null is not a value"),
        ({"date": "26 Jul 2024"}, "date: '26 Jul 2024' is not allowed"),
        ({"date": "2024-02-30"}, 'date: 2024-02-30 is no day; write it as "2026-01-31"'),
        ({"date": "2024-02-29", "chat_template": False}, "date: has no meaning without chat_template: true"),
        ({"template": {"day": 1}, "chat_template": False}, "template: has no meaning without chat_template: true"),
    ],
)  # fmt: skip
def test_a_wrong_setting_of_a_chat_template_is_one_line(
    config: dict[str, Any], settings: dict[str, Any], told: str
) -> None:
    asked = config["open_questions"] | {"chat_template": True}
    good = {"template": {"enable_thinking": False, "date_string": "26 Jul 2024"}, "date": "2024-02-29"}
    check(changed(config, open_questions=asked | good))
    (line,) = messages(changed(config, open_questions=asked | settings))
    assert line.strip().startswith(f"open_questions.{told}")
