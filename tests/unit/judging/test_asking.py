"""Asking a judge over HTTP, with faults on purpose: every answer ends scored or null with a reason, none paid twice.

The endpoint is `judge_server`: a process of its own that counts what arrives.
"""

import json
import sqlite3
import threading
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from crane.judging.asking import ask_about
from crane.judging.batch import BatchJudge
from crane.judging.batch_routes import BatchRoutes
from crane.judging.endpoint import Endpoint, read_key, retry_after
from crane.judging.interface import JudgeError
from crane.judging.online import LONGEST_WAIT, OnlineJudge, _long_wait
from crane.judging.store import JudgementStore
from crane.judging.verdicts import read_replies
from judge_server import ANSWERS, BEFORE, Server, score_of

KEY = "test-key"


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", KEY)


def records(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"question": f"Question {n}?", "output": f"Answer {n}.", "language": "en"}
        for n in range(first, first + count)
    ]


def settings(server: Server, kind: str = "openai", **more: Any) -> dict[str, Any]:
    return {
        "kind": kind, "base_url": server.base_url, "model": "judge-1", "prompt": "crane", "output": "json_schema",
        "max_tokens": 100, "attempts": 3, "seed": 0, "temperature": 0, **more,
    }  # fmt: skip


def ask(server, store, answers, *, concurrency=16, timeout=2, pause=0.01, key="JUDGE_KEY", **more):
    """Return verdicts and replies of a job."""
    chosen = settings(server, **more)

    def backend():
        endpoint = Endpoint(chosen["base_url"], key, timeout)
        if chosen["kind"] == "openai":
            return OnlineJudge(endpoint, concurrency)
        return BatchJudge(endpoint, store, pause)

    replies = ask_about(answers, {"en": "English"}, chosen, store, backend)
    verdicts = [
        read_replies(own, chosen, answer["output"]) for own, answer in zip(replies, answers, strict=True)
    ]
    return verdicts, replies


@pytest.fixture
def store(tmp_path):
    with JudgementStore(tmp_path / "judgements.sqlite") as opened:
        yield opened


# Faults -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [{}, {"output": "text"}, {"prompt": "mtbench", "output": "text"}])
def test_every_answer_gets_its_own_score(store, form):
    with Server() as server:
        verdicts, replies = ask(server, store, records(40), **form)
        stats = server.stats()
    assert all(verdict.score is not None for verdict in verdicts)
    assert len({verdict.score for verdict in verdicts}) > 4
    with sqlite3.connect(store.path) as database:
        stored = dict(database.execute("SELECT key, request FROM request"))
    for verdict, own in zip(verdicts, replies, strict=True):
        assert verdict.score == score_of(json.loads(stored[own[0]["key"]])["body"])
        assert own[0]["usage"]["completion_tokens"] == 20
    assert stats["requests"] == stats["answered_bodies"] == 40
    assert stats["most_in_flight"] <= 16


def test_a_tenth_of_all_requests_meets_a_fault(store, capsys):
    """1,000 answers with all faults: each scored, or null with a reason; none answered twice; a second run is free."""
    with Server(faults=0.1, stubborn=0.01) as server:
        verdicts, replies = ask(server, store, records(1000), concurrency=32)
        stats = server.stats()
        again, _ = ask(server, store, records(1000), concurrency=32)
        assert server.stats() == stats
    assert again == verdicts
    assert set(stats["met"]) == {*BEFORE, *ANSWERS}
    missing = [verdict for verdict in verdicts if verdict.score is None]
    assert 1 <= len(missing) <= 25 and all(verdict.reason for verdict in missing)
    for verdict, own in zip(verdicts, replies, strict=True):
        assert len(own) == 3 if verdict.score is None else len(own) <= 3
    # None of the faults before an answer counts as answered: each distinct request was answered exactly once.
    assert stats["most_answers_to_one"] == 1
    assert stats["answered"] == stats["bodies"] == len(store) == sum(map(len, replies))
    before = sum(stats["met"][kind] for kind in BEFORE)
    assert stats["requests"] == stats["bodies"] + before
    with capsys.disabled():
        reasks = len(store) - 1000
        print(
            f"\n{stats['requests']} requests, faults {stats['met']}, {reasks} re-asks, {len(missing)} nulls"
        )


@pytest.mark.parametrize("kind", BEFORE)
def test_each_fault_is_survived(store, kind):
    with Server(faults=1, kinds=[kind]) as server:
        verdicts, _ = ask(server, store, records(3), timeout=1)
        stats = server.stats()
    assert all(verdict.score is not None for verdict in verdicts)
    assert stats["met"] == {kind: 3} and stats["requests"] == 6 and stats["most_answers_to_one"] == 1


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_without_a_verdict_is_asked_again(store, kind):
    with Server(faults=1, kinds=[kind]) as server:
        verdicts, replies = ask(server, store, records(3))
    assert all(verdict.score is not None for verdict in verdicts)
    assert [len(own) for own in replies] == [2, 2, 2]


def test_attempts_bound_the_re_asks_and_more_attempts_ask_only_for_the_rest(store):
    with Server(stubborn=0.3) as server:
        verdicts, replies = ask(server, store, records(30), attempts=2)
        missing = sum(verdict.score is None for verdict in verdicts)
        assert 2 <= missing <= 20
        assert server.stats()["requests"] == 30 + missing == sum(map(len, replies))
        ask(server, store, records(30), attempts=3)
        assert server.stats()["requests"] == 30 + 2 * missing
        _, fewer = ask(server, store, records(30), attempts=1)
        assert [len(own) for own in fewer] == [1] * 30
        assert server.stats()["requests"] == 30 + 2 * missing


@pytest.mark.parametrize("after", ["2", "date+3"])
def test_retry_after_is_waited_for(store, after):
    with Server(faults=1, kinds=["429 with Retry-After"], retry_after=after) as server:
        ask(server, store, records(2), timeout=10)
        # A date has whole seconds, so that of three a part of one is already over.
        assert server.stats()["shortest_pause"] >= 2 and server.stats()["requests"] == 4


@pytest.mark.parametrize("after", ["1000", "date+1000"])
def test_a_long_retry_after_is_waited_for_and_told(store, monkeypatch, capsys, after):
    """Longer than the client itself would wait."""
    monkeypatch.setattr("crane.judging.online.LONGEST_WAIT", 1.5)
    with Server(faults=1, kinds=["429 with Retry-After"], retry_after=after) as server:
        verdicts, _ = ask(server, store, records(2), timeout=10)
        assert server.stats()["shortest_pause"] >= 1.5 and server.stats()["requests"] == 4
    assert all(verdict.score is not None for verdict in verdicts)
    assert "HTTP 429: slow down; the endpoint asks to wait" in capsys.readouterr().out


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
def test_retry_after(status, headers, seconds):
    error = status_error(status, **headers)
    assert retry_after(error) == seconds
    assert _long_wait(error) is None  # all short: the client itself waits


def test_long_waits():
    assert _long_wait(status_error(429, retry_after="121")) == 121
    assert _long_wait(status_error(503, retry_after="1e9")) == LONGEST_WAIT
    assert _long_wait(status_error(403, retry_after="121")) is None
    in_ten_minutes = _long_wait(status_error(429, retry_after=formatdate(time.time() + 600, usegmt=True)))
    assert in_ten_minutes is not None and 120 < in_ten_minutes <= 600


@pytest.mark.parametrize("kind", ["openai", "openai_batch"])
def test_replies_in_forms_of_their_own_are_stored_and_read(store, kind):
    with Server(odd=True) as server:
        verdicts, replies = ask(server, store, records(3), kind=kind)
    assert all(verdict.score is not None for verdict in verdicts)
    assert all(own[0]["usage"] == {"prompt_tokens": None, "completion_tokens": None} for own in replies)
    assert [own[0]["refusal"] for own in replies] == [None] * 3
    stored = store.replies([replies[0][0]["key"]]).popitem()[1]
    assert stored["choices"][0]["message"]["reasoning"] == "half a character: \ufffd"


# Nothing twice ------------------------------------------------------------------------------------------


def test_equal_answers_are_judged_once(store):
    with Server() as server:
        verdicts, replies = ask(server, store, [*records(5), *records(5), *records(5)])
        ask(server, store, records(8))
        assert server.stats()["requests"] == 8
    assert verdicts[:5] == verdicts[5:10] == verdicts[10:]
    assert replies[0][0]["key"] == replies[5][0]["key"]


def test_jobs_at_once_ask_once(tmp_path):
    """Four jobs want overlapping answers at the same time: every request is sent by one of them, all get replies."""
    path = tmp_path / "judgements.sqlite"
    results: dict[int, list[Any]] = {}
    with Server(delay=0.05) as server:

        def job(number: int) -> None:
            with JudgementStore(path) as own:
                results[number] = ask(server, own, records(30, first=5 * number), concurrency=4)[0]

        threads = [threading.Thread(target=job, args=(number,), daemon=True) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        stats = server.stats()
    assert stats["requests"] == stats["answered_bodies"] == 45
    assert sorted(results) == [0, 1, 2, 3]
    assert all(verdict.score is not None for verdicts in results.values() for verdict in verdicts)
    assert results[0][5:] == results[1][:25]


def test_a_job_that_waits_for_another_says_so_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("crane.judging.asking.PAUSE", 0.05)
    path = tmp_path / "judgements.sqlite"
    with Server(delay=0.5) as server, JudgementStore(path) as one, JudgementStore(path) as other:
        first = threading.Thread(target=ask, args=(server, one, records(2)), daemon=True)
        first.start()
        while server.stats()["requests"] < 2:
            time.sleep(0.01)
        ask(server, other, records(2))
        first.join(60)
        assert server.stats()["requests"] == 2
    assert capsys.readouterr().out.count("2 requests are with other jobs, waiting for them") == 1


def test_without_network_what_is_stored_suffices(store, monkeypatch):
    with Server() as server:
        verdicts, _ = ask(server, store, records(5))
    monkeypatch.delenv("JUDGE_KEY")
    assert ask(server, store, records(5))[0] == verdicts


# Errors that end the job --------------------------------------------------------------------------------


def test_a_model_that_the_endpoint_does_not_know_is_told_before_anything_is_paid(store):
    with Server(models=["judge-1", "judge-2"]) as server:
        with pytest.raises(JudgeError, match=r"does not know the model 'gpt-4o'; it has: judge-1, judge-2"):
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
        with pytest.raises(
            JudgeError, match=r"/v1/models replies what is not the JSON expected; look at base"
        ):
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
    with pytest.raises(JudgeError, match="JUDGE_KEY holds what cannot be a key") as caught:
        read_key("JUDGE_KEY")
    assert key not in str(caught.value)


def test_an_endpoint_without_a_key(store):
    with Server(key="") as server:
        assert ask(server, store, records(2), key="")[0][0].score is not None


def test_a_refused_key_is_told_but_not_shown(store, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "wrong-secret")
    with (
        Server(loose_tongue=True) as server,
        pytest.raises(JudgeError, match=r"401.*look at the key") as caught,
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


def test_requests_that_are_all_refused_are_a_setting_gone_wrong(store):
    with Server(always=400) as server:
        with pytest.raises(JudgeError, match=r"refuses all 3 requests \(HTTP 400: as told\)"):
            ask(server, store, records(3))
        assert server.stats()["requests"] == 3
    assert len(store) == 0


def test_a_lost_quota_is_told_at_once(store):
    """Although the endpoint asks to come back in an hour."""
    with (
        Server(routes={"chat": ["no quota"] * 99}) as server,
        pytest.raises(JudgeError, match=r"HTTP 429: buy some.*run again when there is quota"),
    ):
        ask(server, store, records(3))


def test_answers_that_are_always_refused_end_null_in_every_run(store):
    """In the second run nothing else is left to ask."""
    with Server(never={"400": 0.05}) as server:
        first, replies = ask(server, store, records(60))
        second, _ = ask(server, store, records(60))
        assert server.stats()["answered"] == len(store)
    refused = [n for n, verdict in enumerate(first) if verdict.score is None]
    assert 2 <= len(refused) < 10 and first == second
    assert all(first[n].reason == replies[n][0]["error"] == "HTTP 400: out of order" for n in refused)


def test_an_answer_that_never_gets_a_reply_ends_null_in_every_run(store, monkeypatch):
    monkeypatch.setattr("crane.judging.online.RETRIES", 1)
    with Server(never={"web page": 0.01}) as server:
        first, _ = ask(server, store, records(120))
        second, _ = ask(server, store, records(120))
    lost = [verdict for verdict in first if verdict.score is None]
    assert 1 <= len(lost) <= 2 and first == second
    assert {verdict.reason for verdict in lost} == {"the endpoint's reply is not a chat completion"}


def test_an_ill_endpoint_fails_the_job_and_the_next_run_asks_for_the_rest(store, monkeypatch):
    monkeypatch.setattr("crane.judging.endpoint.RETRIES", 0)
    monkeypatch.setattr("crane.judging.online.RETRIES", 1)
    with Server(faults=0.3, kinds=["web page"]) as server:
        monkeypatch.setattr(
            "crane.judging.asking._Asker._twice", lambda self, b, r: b.ask(r, self._store.record)
        )
        with pytest.raises(
            JudgeError, match=r"of 60 requests got no reply \(the last: the endpoint's reply is not"
        ):
            ask(server, store, records(60))
        answered = len(store)
        assert 20 < answered < 60
        verdicts, _ = ask(server, store, records(60))
        assert server.stats()["requests"] == 60 + 60 - answered
    assert all(verdict.score is not None for verdict in verdicts)


@pytest.mark.parametrize("kind", ["openai", "openai_batch"])
def test_the_key_is_stored_nowhere(tmp_path, capfd, kind):
    """The endpoint repeats the key in every error and reply."""
    with (
        JudgementStore(tmp_path / "judgements.sqlite") as store,
        Server(loose_tongue=True, faults=0.2, batch_faults=["errors"], routes={"look": ["500"]}) as server,
    ):
        _, replies = ask(server, store, records(50), kind=kind)
    assert KEY not in str(replies) and "[key]" in str(replies)
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert KEY not in "".join(capfd.readouterr())


# Batches ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["", "expired", "missing ids", "errors"])
def test_a_batch_that_is_not_whole_is_completed(store, fault):
    with Server(batch_faults=[fault]) as server:
        verdicts, _ = ask(server, store, records(40), kind="openai_batch")
        stats = server.stats()
    assert all(verdict.score is not None for verdict in verdicts)
    assert stats["answered"] == stats["answered_bodies"] == 40  # only what was missing was handed in again
    assert stats["batches"] == (2 if fault else 1)
    assert store.open_batches([]) == []


def test_batches_with_all_faults_and_re_asks(store):
    faults = ["expired", "missing ids", "errors"]
    with Server(batch_faults=faults, faults=0.1, kinds=list(ANSWERS), stubborn=0.01) as server:
        verdicts, replies = ask(server, store, records(300), kind="openai_batch")
        stats = server.stats()
        assert ask(server, store, records(300), kind="openai_batch")[0] == verdicts
        assert server.stats()["batches"] == stats["batches"]
        # The same requests online: nothing is sent, the replies are shared.
        assert ask(server, store, records(300))[0] == verdicts
        assert "chat" not in server.stats()["routes"]
    assert stats["most_answers_to_one"] == 1 and stats["answered"] == len(store) == sum(map(len, replies))
    assert sum(verdict.score is None for verdict in verdicts) <= 10


@pytest.mark.parametrize("fault", ["500", "drop", "half", "web page"])
@pytest.mark.parametrize("route", ["upload", "look", "content", "batch-list"])
def test_a_fault_on_a_route_of_batches_is_survived(store, route, fault):
    """Nothing is paid twice: a result file that is cut or a web page is downloaded again."""
    faults = {route: [fault], "create": ["done, then drop"]}
    with Server(routes=faults) as server:
        verdicts, _ = ask(server, store, records(10), kind="openai_batch")
        stats = server.stats()
    assert all(verdict.score is not None for verdict in verdicts)
    assert stats["met"] == {f"{route}: {fault}": 1, "create: drop": 1}
    assert stats["batches"] == 1 and stats["answered"] == 10
    assert store.open_batches(key for (key,) in own_keys(store)) == []


def own_keys(store):
    with sqlite3.connect(store.path) as database:
        return database.execute("SELECT key FROM request").fetchall()


@pytest.mark.parametrize("fault", ["cut line", "lost lines"])
def test_results_that_stay_short_leave_the_batch_open_until_it_is_given_up(store, monkeypatch, fault):
    monkeypatch.setattr("crane.judging.batch.DOWNLOADS", 2)
    with Server(batch_faults=[fault]) as server:
        stored = set()
        for _ in range(2):
            with pytest.raises(JudgeError, match=r"batch_0: 10 results stated, \d could be read.*give it up"):
                ask(server, store, records(10), kind="openai_batch")
            stored.add(len(store))
        assert stored == {9 if fault == "cut line" else 5}
        assert server.stats()["batches"] == 1
        with pytest.raises(JudgeError, match="give it up") as told:
            ask(server, store, records(10), kind="openai_batch")
        _, statement, _ = str(told.value).rsplit('"', 2)
        with sqlite3.connect(store.path) as database:
            database.execute(statement)
        verdicts, _ = ask(server, store, records(10), kind="openai_batch")
        assert server.stats()["answered"] == 10 + 10 - stored.pop()
    assert all(verdict.score is not None for verdict in verdicts)


def test_a_batch_that_the_endpoint_does_not_know_is_not_paid_again(store):
    with Server(routes={"look": ["404", "404"]}) as server:
        for _ in range(2):
            with pytest.raises(
                JudgeError, match=r"batch batch_0.*\(HTTP 404\); set the key.*UPDATE batch SET"
            ):
                ask(server, store, records(5), kind="openai_batch")
        verdicts, _ = ask(server, store, records(5), kind="openai_batch")
        assert server.stats()["batches"] == 1 and server.stats()["answered"] == 5
    assert all(verdict.score is not None for verdict in verdicts)


def test_a_cancelled_batch_ends_the_job_and_the_next_run_asks_for_the_rest(store):
    with Server(batch_faults=["cancelled"]) as server:
        with pytest.raises(
            JudgeError, match=r"batch_0 was cancelled with 5 of 10 requests answered.*run again"
        ):
            ask(server, store, records(10), kind="openai_batch")
        assert server.stats()["batches"] == 1 and len(store) == 5
        verdicts, _ = ask(server, store, records(10), kind="openai_batch")
        assert server.stats()["batches"] == 2 and server.stats()["answered"] == 10
    assert all(verdict.score is not None for verdict in verdicts)


@pytest.mark.parametrize("fault", ["400", "403", "no quota"])
def test_a_batch_that_is_refused_leaves_no_note(store, fault):
    with Server(routes={"create": [fault]}) as server:
        with pytest.raises(JudgeError):
            ask(server, store, records(5), kind="openai_batch")
        verdicts, _ = ask(server, store, records(5))  # the other kind does not wait for it
        assert server.stats()["batches"] == 0 and server.stats()["answered"] == 5
    assert all(verdict.score is not None for verdict in verdicts)


@pytest.mark.parametrize("fault", ["504", "drop", "web page", "half"])
def test_a_batch_that_was_created_all_the_same_is_found_by_its_mark(store, fault):
    faults = ["half" if fault == "half" else f"done, then {fault}"]
    with Server(routes={"create": faults}) as server:
        verdicts, _ = ask(server, store, records(5), kind="openai_batch")
        assert server.stats()["batches"] == 1 and server.stats()["answered"] == 5
    assert all(verdict.score is not None for verdict in verdicts)


def test_a_batch_of_which_nobody_knows_stays_noted(store, monkeypatch):
    """The server times out after it has created one, cannot list its batches, and refuses the next try."""
    monkeypatch.setattr("crane.judging.endpoint.RETRIES", 0)
    with Server(routes={"create": ["done, then 504"], "batch-list": ["500"]}) as server:
        with pytest.raises(JudgeError, match="HTTP 500"):
            ask(server, store, records(5), kind="openai_batch")
        with pytest.raises(JudgeError, match="holds some of these answers already"):
            ask(server, store, records(5))
        verdicts, _ = ask(server, store, records(5), kind="openai_batch")
        assert server.stats()["batches"] == 1 and server.stats()["answered"] == 5
    assert all(verdict.score is not None for verdict in verdicts)


def test_too_many_batches_at_once_are_waited_for(store):
    with Server(routes={"create": ["429 with Retry-After", "429 with Retry-After"]}) as server:
        verdicts, _ = ask(server, store, records(5), kind="openai_batch")
        assert server.stats()["routes"]["create"] == 3 and "batch-list" not in server.stats()["routes"]
    assert all(verdict.score is not None for verdict in verdicts)


def test_batches_are_handed_in_four_times_at_most(store):
    with Server(batch_faults=["missing ids"] * 9) as server:
        verdicts, _ = ask(server, store, records(400), kind="openai_batch")
        assert server.stats()["batches"] == 4
    assert [v.reason for v in verdicts if v.score is None] == ["missing in every batch's output"]


def test_an_endpoint_without_batches_is_told(store):
    with (
        Server(routes={"upload": ["404"]}) as server,
        pytest.raises(JudgeError, match=r"HTTP 404.*look at base_url"),
    ):
        ask(server, store, records(5), kind="openai_batch")


def test_a_failed_batch_is_told(store):
    with (
        Server(batch_faults=["failed"]) as server,
        pytest.raises(JudgeError, match="batch_0 failed: bad file"),
    ):
        ask(server, store, records(10), kind="openai_batch")


@pytest.mark.parametrize("at", ["create", "note_batch_id", "close_batch", "look"])
def test_a_job_killed_around_a_batch_pays_once(tmp_path, monkeypatch, at):
    """Before creating it; between that and writing down the name; after fetching; and while it waits."""
    path = tmp_path / "judgements.sqlite"

    class KilledError(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise KilledError

    with Server(polls=3) as server:
        with JudgementStore(path) as store, monkeypatch.context() as patch, pytest.raises(KilledError):
            if at == "look":
                patch.setattr("crane.judging.batch.time.sleep", killed)
            elif at == "create":
                patch.setattr(BatchRoutes, at, killed)
            else:
                patch.setattr(JudgementStore, at, killed)
            ask(server, store, records(20), kind="openai_batch")
        with JudgementStore(path) as store:
            if at != "close_batch":
                with pytest.raises(JudgeError, match="holds some of these answers already; set kind"):
                    ask(server, store, records(20))
            verdicts, _ = ask(server, store, records(25), kind="openai_batch")
        stats = server.stats()
    assert all(verdict.score is not None for verdict in verdicts)
    # Of one that was noted, but never created, nothing is found, and all is handed in.
    assert stats["batches"] == (1 if at == "create" else 2)
    assert stats["answered"] == stats["answered_bodies"] == 25
    assert "chat" not in stats["routes"]


def test_requests_are_spread_over_batches_that_fit(store, monkeypatch):
    monkeypatch.setattr("crane.judging.batch.LARGEST", 8)
    with Server() as server:
        ask(server, store, records(20), kind="openai_batch")
        assert server.stats()["batches"] == 3
    monkeypatch.setattr("crane.judging.batch.LARGEST_FILE", 3000)
    with Server() as server:
        ask(server, store, records(4), kind="openai_batch")
        assert 2 <= server.stats()["batches"] <= 4


def test_the_claims_folder_is_left_empty(tmp_path):
    with JudgementStore(tmp_path / "j.sqlite") as store, Server() as server:
        ask(server, store, records(2))
    assert not list(Path(tmp_path / "j.sqlite.claims").iterdir())
