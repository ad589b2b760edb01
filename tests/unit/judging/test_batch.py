"""Asking by batches, with faults on purpose: every answer ends scored or null with a reason, none paid twice."""

import sqlite3
from typing import Any

import pytest
from crane.judging.batch_routes import BatchRoutes
from crane.judging.interface import JudgeError
from crane.judging.store import JudgementStore
from support.asking import ask, records
from support.judge_faults import ANSWERS
from support.judge_server import Server

pytestmark = pytest.mark.usefixtures("judge_key", "short_pauses")


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
    missing = [verdict.reason for verdict in verdicts if verdict.score is None]
    assert len(missing) - missing.count("refused by the judge") <= 10


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
            with pytest.raises(
                JudgeError, match=r"batch_0: 10 results stated, \d could be parsed.*give it up"
            ):
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


def test_a_batch_that_runs_out_of_credit_ends_the_job_and_the_next_run_asks_for_the_rest(store):
    with Server(batch_faults=["no credit"]) as server:
        with pytest.raises(JudgeError, match=r"error 402: out of order; .*run again when there is quota"):
            ask(server, store, records(12), kind="openai_batch")
        assert server.stats()["batches"] == 1 and len(store) == 9
        verdicts, _ = ask(server, store, records(12), kind="openai_batch")
        assert server.stats()["batches"] == 2 and server.stats()["answered"] == 12
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
        with pytest.raises(JudgeError, match="already holds some of these requests"):
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
        pytest.raises(JudgeError, match=r"HTTP 404.*check base_url"),
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
                with pytest.raises(JudgeError, match="already holds some of these requests; set kind"):
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
