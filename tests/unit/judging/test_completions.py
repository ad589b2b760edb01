"""The bodies of replies in the forms that endpoints write them: text, refusals and errors."""

from typing import Any

import pytest
from crane.judging.completions import described, error_in, is_completion, kept, refused
from crane.judging.interface import JudgeError
from crane.judging.store import JudgementStore
from support.asking import ask, records
from support.judge_server import Server

pytestmark = pytest.mark.usefixtures("judge_key", "short_pauses")

VERDICT = '{"score": 7, "reason": "ok"}'
PARTS = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
    {"type": "text", "text": VERDICT},
]
BLOCKED = [
    {"index": 0, "finish_reason": "content_filter: PROHIBITED_CONTENT"},
    {"index": 0, "finish_reason": "content_filter", "message": None},
    {"index": 0, "finish_reason": "SAFETY", "message": {"role": "assistant"}},
    {"index": 0, "finish_reason": "stop", "message": {"content": None, "refusal": "I cannot."}},
    {
        "index": 0,
        "finish_reason": "stop",
        "message": {"content": [{"type": "refusal", "refusal": "I cannot."}]},
    },
]


def completion(content: Any, **more: Any) -> dict[str, Any]:
    """Return a body whose message has a content, and maybe other fields."""
    return {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": content, **more}}]}


# Text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (VERDICT, VERDICT),
        (PARTS, VERDICT),
        ([{"type": "text", "text": "a"}, {"type": "output_text", "text": "b"}, "c"], "abc"),
        ([{"type": "reasoning", "text": "hm"}, {"text": "a"}], "a"),
        ([{"type": "image_url", "image_url": {}}, 7, None], ""),
        ([], None),
        (None, None),
        ({"text": "a"}, None),
    ],
)
def test_the_text_of_a_message_is_its_parts_of_text(content: Any, text: str | None) -> None:
    body = completion(content)
    assert is_completion(body) and kept(body)["text"] == text


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thoughts_in_a_field_are_no_text(name: str) -> None:
    reply = kept(completion(None, **{name: VERDICT}))
    assert reply["text"] is None and reply["thoughts"] is True
    assert kept(completion(PARTS))["thoughts"] is True
    assert kept(completion(VERDICT, **{name: None}))["thoughts"] is False


@pytest.mark.parametrize("kind", ["openai", "openai_batch"])
def test_content_as_a_list_of_parts_is_scored(store: JudgementStore, kind: str) -> None:
    with Server(body=completion(PARTS)) as server:
        verdicts, _ = ask(server, store, records(3), kind=kind)
        assert server.stats()["answered"] == 3
    assert [verdict.score for verdict in verdicts] == [7, 7, 7]


# Refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", BLOCKED)
@pytest.mark.parametrize("kind", ["openai", "openai_batch"])
def test_a_blocked_answer_is_one_request(store: JudgementStore, choice: dict[str, Any], kind: str) -> None:
    """Neither sent again as if the reply were broken, nor asked again as if it had no verdict."""
    with Server(body={"choices": [choice]}) as server:
        verdicts, replies = ask(server, store, records(3), kind=kind)
        assert server.stats()["requests"] == 3
    assert [verdict.reason for verdict in verdicts] == ["refused by the judge"] * 3
    assert all(len(own) == 1 and refused(own[0]) for own in replies)


def test_a_choice_without_message_is_no_completion_unless_it_was_blocked_or_cut_off() -> None:
    assert is_completion({"choices": [{"finish_reason": "length"}]})
    for choice in ({"finish_reason": "stop"}, {"finish_reason": "stop", "text": VERDICT}, {}, None):
        assert not is_completion({"choices": [choice]}), choice
    assert not is_completion({"choices": []}) and not is_completion([]) and not is_completion(None)
    assert not refused(kept(completion(VERDICT)))


# Errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message", "status"),
    [
        ({"error": {"message": "Insufficient credits.", "code": 402}}, "Insufficient credits.", 402),
        ({"choices": None, "error": {"message": "busy", "code": "429"}}, "busy", 429),
        ([{"error": {"message": "bad", "code": 400, "status": "INVALID_ARGUMENT"}}], "bad", 400),
        ({"error": "out of memory"}, "out of memory", None),
        ({"error": True, "message": "no"}, "no", None),
        ({"object": "error", "message": "too long", "code": 40303}, "too long", None),
        (
            {"choices": [{"error": {"message": "lost", "code": 502}, "message": {"content": "a"}}]},
            "lost",
            502,
        ),
        ({"error": {"message": "P", "code": 429, "metadata": {"raw": "slow down"}}}, "P (slow down)", 429),
        ({"error": {"detail": [{"loc": ["body", "seed"]}]}}, '[{"loc": ["body", "seed"]}]', None),
        ({"error": {"code": []}}, "", None),
    ],
)
def test_an_error_with_status_200_is_read(body: Any, message: str, status: int | None) -> None:
    assert not is_completion(body)
    error = error_in(body)
    assert error is not None and (error.message, error.status) == (message, status)


@pytest.mark.parametrize(
    "body", [completion("a"), {**completion("a"), "error": None}, {"data": []}, [], "x", None]
)
def test_a_body_without_error_states_none(body: Any) -> None:
    assert error_in(body) is None


def test_an_empty_quota_is_known_by_its_code_or_type() -> None:
    assert described({"code": "insufficient_quota"}).out_of_quota
    assert described({"code": None, "type": "exceeded_current_quota_error"}).out_of_quota
    assert not described({"code": "rate_limit_exceeded"}).out_of_quota and not described(None).out_of_quota


@pytest.mark.parametrize("kind", ["openai", "openai_batch"])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            {"message": "Insufficient credits.", "code": 402},
            "error 402: Insufficient credits.; .*when there is quota",
        ),
        (
            {"message": "Pay.", "code": "insufficient_quota"},
            "error insufficient_quota: Pay.; .*when there is quota",
        ),
        ({"message": "Bad key.", "code": 401}, "error 401: Bad key.; check the key"),
    ],
)
def test_an_error_that_all_requests_would_get_ends_the_job(store, kind, error, told) -> None:
    with Server(body={"error": error}) as server:
        with pytest.raises(JudgeError, match=told):
            ask(server, store, records(9), concurrency=3, kind=kind)
        assert server.stats()["requests"] <= (9 if kind == "openai_batch" else 3)
        assert server.stats()["batches"] <= 1
    assert len(store) == 0


@pytest.mark.parametrize("kind", ["openai", "openai_batch"])
def test_an_error_that_may_pass_is_repeated_and_told_in_the_servers_words(store, monkeypatch, kind) -> None:
    monkeypatch.setattr("crane.judging.online.RETRIES", 2)
    monkeypatch.setattr("crane.judging.batch.ROUNDS", 2)
    with Server(
        body={"choices": None, "error": {"message": "Provider returned error", "code": 429}}
    ) as server:
        with pytest.raises(JudgeError, match=r"no reply \(the last: error 429: Provider returned error\)"):
            ask(server, store, records(3), kind=kind)
        assert server.stats()["requests"] == 6


def test_an_error_about_one_request_is_not_repeated(store: JudgementStore) -> None:
    with Server(body={"error": {"message": "too long", "code": 400}}) as server:
        verdicts, _ = ask(server, store, records(1))
        assert server.stats()["requests"] == 1
    assert verdicts[0].reason == "error 400: too long"


def test_a_text_that_a_gateway_flags_is_one_answer_without_a_score(store: JudgementStore) -> None:
    """Although its status is 403: other answers may pass."""
    flagged = {
        "message": "flagged",
        "code": 403,
        "metadata": {"flagged_input": "A ...", "reasons": ["violence"]},
    }
    with Server(body={"error": flagged}) as server:
        verdicts, _ = ask(server, store, records(1))
    assert verdicts[0].reason == "error 403: flagged"


def test_an_error_on_another_route_is_told_in_the_servers_words(store: JudgementStore) -> None:
    with Server(routes={"upload": ["error with 200"] * 9}) as server:
        with pytest.raises(JudgeError, match=r"error 402: no credits; .*when there is quota"):
            ask(server, store, records(3), kind="openai_batch")
        assert server.stats()["routes"]["upload"] == 1
