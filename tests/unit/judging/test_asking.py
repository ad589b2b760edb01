"""Asking a judge over HTTP, with faults on purpose: every answer ends scored or null with a reason, none paid twice.

The endpoint is `judge_server`: a process of its own that counts what arrives.
"""

import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from crane.judging.interface import JudgeError
from crane.judging.store import JudgementStore
from support.asking import KEY, ask, records
from support.judge_faults import ANSWERS, BEFORE, score_of
from support.judge_server import Server

# Faults -----------------------------------------------------------------------------------------------

pytestmark = pytest.mark.usefixtures("judge_key", "short_pauses")


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
        refused = own[-1].get("refusal")
        assert len(own) == 3 if verdict.score is None and not refused else len(own) <= 3
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


@pytest.mark.parametrize("kind", ["empty", "no verdict"])
def test_an_answer_without_a_verdict_is_asked_again(store, kind):
    with Server(faults=1, kinds=[kind]) as server:
        verdicts, replies = ask(server, store, records(3))
    assert all(verdict.score is not None for verdict in verdicts)
    assert [len(own) for own in replies] == [2, 2, 2]


def test_a_refusal_is_not_asked_again(store):
    with Server(faults=1, kinds=["refusal"]) as server:
        verdicts, replies = ask(server, store, records(3))
        assert server.stats()["requests"] == 3
    assert {verdict.reason for verdict in verdicts} == {"refused by the judge"}
    assert [len(own) for own in replies] == [1, 1, 1]


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


@pytest.mark.parametrize("kind", ["openai", "openai_batch"])
def test_replies_in_forms_of_their_own_are_stored_and_read(store, kind):
    with Server(odd=True) as server:
        verdicts, replies = ask(server, store, records(3), kind=kind)
    assert all(verdict.score is not None for verdict in verdicts)
    assert all(own[0]["usage"] == {"prompt_tokens": None, "completion_tokens": None} for own in replies)
    assert [own[0]["refusal"] for own in replies] == [None] * 3
    stored = store.replies([replies[0][0]["key"]]).popitem()[1]
    assert stored["choices"][0]["message"]["reasoning"] == "half a character: \ufffd"


# Nothing twice ----------------------------------------------------------------------------------------


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


# Errors that end the job ------------------------------------------------------------------------------


def test_requests_that_are_all_refused_are_a_setting_gone_wrong(store):
    with Server(always=400) as server:
        with pytest.raises(JudgeError, match=r"refuses all 3 requests \(HTTP 400: as told\)"):
            ask(server, store, records(3))
        assert server.stats()["requests"] == 3
    assert len(store) == 0


def test_an_endpoint_that_knows_less_is_asked_in_its_dialect(store):
    """The advice of each error leads to the next, and at last to scores."""
    with Server(old=True) as server:
        with pytest.raises(
            JudgeError, match=r"'max_completion_tokens'\); set .*dialect: \{max_tokens: max_tokens\}"
        ):
            ask(server, store, records(3))
        with pytest.raises(JudgeError, match=r"System role.*set the judge's dialect: \{system: false\}"):
            ask(server, store, records(3), dialect={"max_tokens": "max_tokens"})
        verdicts, _ = ask(server, store, records(3), dialect={"max_tokens": "max_tokens", "system": False})
    assert all(verdict.score is not None for verdict in verdicts)


def test_a_lost_quota_is_told_at_once(store):
    """Although the endpoint asks to come back in an hour."""
    with Server(routes={"chat": ["no quota"] * 99}) as server:
        with pytest.raises(JudgeError, match=r"HTTP 429: buy some.*run again when there is quota"):
            ask(server, store, records(9), concurrency=3)
        assert server.stats()["routes"]["chat"] <= 3


def test_a_request_without_quota_is_not_repeated(store):
    """The client by itself repeats every 429."""
    with Server(never={"no quota and no wait": 1}) as server:
        with pytest.raises(JudgeError, match="run again when there is quota"):
            ask(server, store, records(9), concurrency=3)
        assert server.stats()["requests"] <= 3


@pytest.mark.parametrize(
    ("status", "advice"), [(402, "quota"), (403, "may not use this model"), (404, "base_url and model")]
)
def test_a_status_that_all_requests_would_get_ends_the_job_at_once(store, status, advice):
    with Server(always=status) as server:
        with pytest.raises(JudgeError, match=rf"HTTP {status}: as told; .*{advice}"):
            ask(server, store, records(9), concurrency=3)
        assert server.stats()["requests"] <= 3


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
        _, replies = ask(server, store, records(50), kind=kind, timeout=1)
    assert KEY not in str(replies) and "[key]" in str(replies)
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert KEY not in "".join(capfd.readouterr())


def test_the_claims_folder_is_left_empty(tmp_path):
    with JudgementStore(tmp_path / "j.sqlite") as store, Server() as server:
        ask(server, store, records(2))
    assert not list(Path(tmp_path / "j.sqlite.claims").iterdir())
