"""The endpoint, its models and its key: what is wrong is told, and no key is shown."""

import json
import time
from email.utils import formatdate

import httpx2
import openai
import pytest
from crane.judging.endpoint import Endpoint, read_key, retry_after
from crane.judging.interface import JudgeError
from crane.judging.online import LONGEST_WAIT, _long_wait
from support.asking import KEY, ask, records
from support.judge_server import Server

pytestmark = pytest.mark.usefixtures("judge_key", "short_pauses")


def status_error(status: int, **headers: str) -> openai.APIStatusError:
    request = httpx2.Request("POST", "http://h/v1")
    response = httpx2.Response(
        status, headers={n.replace("_", "-"): v for n, v in headers.items()}, request=request
    )
    return openai.APIStatusError("no", response=response, body=None)


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"retry_after": "7"}, 7),
        (503, {"retry_after": " 7.5 "}, 7.5),
        (408, {"retry_after_ms": "1500", "retry_after": "9"}, 1.5),
        (409, {"retry_after": "-3"}, 0),
        (429, {"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        (429, {"retry_after": "soon"}, None),
        (429, {"retry_after": "nan"}, None),
        (429, {}, None),
        (400, {"retry_after": "7"}, None),
        (403, {"retry_after": "7"}, None),
    ],
)
def test_the_wait_that_an_endpoint_asks_for_is_read(status, headers, seconds):
    error = status_error(status, **headers)
    assert retry_after(error) == seconds
    assert _long_wait(error) is None  # all short: the client itself waits


def test_waits_that_the_client_would_not_keep_are_known():
    assert _long_wait(status_error(429, retry_after="121")) == 121
    assert _long_wait(status_error(503, retry_after="1e9")) == LONGEST_WAIT
    assert _long_wait(status_error(403, retry_after="121")) is None
    in_ten_minutes = _long_wait(status_error(429, retry_after=formatdate(time.time() + 600, usegmt=True)))
    assert in_ten_minutes is not None and 120 < in_ten_minutes <= 600


def test_a_model_that_the_endpoint_does_not_know_is_told_before_anything_is_paid(store):
    with Server(models=["judge-1", "judge-2"]) as server:
        with pytest.raises(
            JudgeError, match=r"does not serve the model 'gpt-4o'; it serves: judge-1, judge-2"
        ):
            ask(server, store, records(3), model="gpt-4o")
        assert "chat" not in server.stats()["routes"]


def test_an_endpoint_without_a_list_of_models_works(store):
    with Server(models=None) as server:
        verdicts, _ = ask(server, store, records(3), model="anything")
    assert all(verdict.score is not None for verdict in verdicts)


def test_a_key_that_may_not_list_the_models_works(store):
    with Server(routes={"models": ["403"]}) as server:
        assert ask(server, store, records(3))[0][0].score is not None


@pytest.mark.parametrize("fault", ["web page", "half", "drop", "500"])
def test_a_list_of_models_that_breaks_is_asked_for_again(store, fault):
    with Server(routes={"models": [fault]}) as server:
        assert ask(server, store, records(3))[0][0].score is not None
        assert server.stats()["routes"]["models"] == 2


def test_a_website_is_no_endpoint(store, monkeypatch):
    monkeypatch.setattr("crane.judging.endpoint.RETRIES", 2)
    with Server(routes={"models": ["web page"] * 9}) as server:
        with pytest.raises(JudgeError, match=r"/v1/models does not reply with the expected JSON; check base"):
            ask(server, store, records(3))
        assert server.stats()["requests"] == 0


def test_an_ill_endpoint_is_not_told_as_an_unknown_model(store, monkeypatch):
    monkeypatch.setattr("crane.judging.endpoint.RETRIES", 1)
    with Server(routes={"model": ["500"] * 9}) as server:
        with pytest.raises(JudgeError, match=r"HTTP 500: out of order; is the endpoint up"):
            ask(server, store, records(3), model="another")
        assert server.stats()["requests"] == 0


def test_a_missing_key_is_told(store, monkeypatch):
    monkeypatch.delenv("JUDGE_KEY")
    with Server() as server:
        with pytest.raises(JudgeError, match="environment variable JUDGE_KEY is not set"):
            ask(server, store, records(3))
        assert server.stats()["requests"] == 0


@pytest.mark.parametrize("key", ["two words", "đ", "a\nb", "tab\t."])
def test_what_cannot_be_a_key_is_told_but_not_shown(monkeypatch, key):
    monkeypatch.setenv("JUDGE_KEY", key)
    with pytest.raises(JudgeError, match="JUDGE_KEY cannot be a key") as caught:
        read_key("JUDGE_KEY")
    assert key not in str(caught.value)


def test_an_endpoint_without_a_key_works(store):
    with Server(key="") as server:
        assert ask(server, store, records(2), key="")[0][0].score is not None


def test_a_refused_key_is_told_but_not_shown(store, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "wrong-secret")
    with (
        Server(loose_tongue=True) as server,
        pytest.raises(JudgeError, match=r"401.*check the key") as caught,
    ):
        ask(server, store, records(3))
    assert "wrong-secret" not in str(caught.value) and "[key]" in str(caught.value)


def test_what_has_the_form_of_a_key_is_not_shown_whoever_it_belongs_to():
    endpoint = Endpoint("http://h/v1", "JUDGE_KEY", 1)
    told = endpoint.one_line(f"no  sk-proj-Ab12_x9 and sk-ab***yz, {'.' * 300}")
    assert told.startswith("no [key] and [key], ...") and len(told) == 300
    assert KEY not in endpoint.one_line("x" * 296 + KEY)  # not even its first characters


@pytest.mark.parametrize("key", ["", "x", "none", "EMPTY"])
def test_a_stand_in_is_no_key_and_changes_no_reply(store, monkeypatch, key):
    """Servers that need none are given any; a word of a reply may have it in the middle."""
    monkeypatch.setenv("JUDGE_KEY", key)
    text = '{"reason": "x, none, EMPTY"}'
    endpoint = Endpoint("http://h/v1", "JUDGE_KEY" if key else "", 1)
    assert endpoint.read(text) == json.loads(text)


def test_a_key_is_found_however_json_writes_it(monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", 'with/slash"and\\more')
    endpoint = Endpoint("http://h/v1", "JUDGE_KEY", 1)
    for text in (json.dumps(f"for {endpoint.settings['api_key']}"), r'"for with\/slash\u0022and\\mor\u0065"'):
        assert endpoint.read(text) == "for [key]"
        assert endpoint.read(f"{{{text}: [{text}]}}") == {"for [key]": ["for [key]"]}


def test_an_endpoint_out_of_reach_is_told(store, monkeypatch):
    monkeypatch.setattr("crane.judging.endpoint.RETRIES", 1)
    with Server() as server:
        pass
    with pytest.raises(JudgeError, match=r"no connection.*is the endpoint up"):
        ask(server, store, records(3))
