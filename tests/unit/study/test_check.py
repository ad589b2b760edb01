"""An overlay removes keys with null, except where null is a value."""

from crane.study.check import drop_nulls


def test_null_removes_a_key_at_any_depth() -> None:
    config = {"models": {"base": {"repository": None, "path": "here"}}, "plan": None}
    drop_nulls(config)
    assert config == {"models": {"base": {"path": "here"}}}


def test_a_judge_without_a_key_keeps_its_null() -> None:
    config = {"judges": {"own": {"base_url": "http://127.0.0.1/v1", "key_variable": None}}}
    drop_nulls(config)
    assert config["judges"]["own"]["key_variable"] is None
