"""Asking a judge over HTTP, with faults on purpose: every answer ends scored or null with a reason, none paid twice.

The endpoint is `judge_server`: a process of its own that counts what arrives.
"""

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from crane.judges.asking import ask_about
from crane.judges.batch import BatchJudge
from crane.judges.endpoint import Endpoint, read_key
from crane.judges.interface import JudgeError
from crane.judges.online import OnlineJudge
from crane.judges.store import JudgementStore
from crane.judges.verdicts import read_replies
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


def test_an_endpoint_out_of_reach_is_told(store, monkeypatch):
    monkeypatch.setattr("crane.judges.endpoint.RETRIES", 1)
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


def test_an_ill_endpoint_fails_the_job_and_the_next_run_asks_for_the_rest(store, monkeypatch):
    monkeypatch.setattr("crane.judges.endpoint.RETRIES", 0)
    monkeypatch.setattr("crane.judges.online.RETRIES", 1)
    with Server(faults=0.3, kinds=["web page"]) as server:
        monkeypatch.setattr(
            "crane.judges.asking._Asker._twice", lambda self, b, r: b.ask(r, self._store.record)
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


def test_the_key_is_stored_nowhere(tmp_path, capfd):
    """The endpoint repeats the key in every error and reply."""
    with (
        JudgementStore(tmp_path / "judgements.sqlite") as store,
        Server(loose_tongue=True, faults=0.2) as server,
    ):
        _, replies = ask(server, store, records(50))
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


def test_a_line_that_is_cut_is_asked_again(store):
    with Server(batch_faults=["cut line"]) as server:
        verdicts, _ = ask(server, store, records(10), kind="openai_batch")
        assert server.stats()["answered"] == 11
    assert all(verdict.score is not None for verdict in verdicts)


def test_a_failed_batch_is_told(store):
    with (
        Server(batch_faults=["failed"]) as server,
        pytest.raises(JudgeError, match="batch_0 failed: bad file"),
    ):
        ask(server, store, records(10), kind="openai_batch")


def test_a_batch_whose_creation_was_not_confirmed_is_found_by_its_mark(store):
    with Server(lose_answers_to_create=1) as server:
        verdicts, _ = ask(server, store, records(10), kind="openai_batch")
        stats = server.stats()
    assert stats["batches"] == 1 and stats["answered"] == 10
    assert all(verdict.score is not None for verdict in verdicts)


@pytest.mark.parametrize("at", ["note_batch_id", "close_batch", "look"])
def test_a_job_killed_around_a_batch_pays_once(tmp_path, monkeypatch, at):
    """Between creating and writing down the name; after fetching; and while it waits."""
    path = tmp_path / "judgements.sqlite"

    class KilledError(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise KilledError

    with Server(polls=3) as server:
        with JudgementStore(path) as store, monkeypatch.context() as patch, pytest.raises(KilledError):
            if at == "look":
                patch.setattr("crane.judges.batch.time.sleep", killed)
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
    assert stats["batches"] == 2 and stats["answered"] == stats["answered_bodies"] == 25
    assert "chat" not in stats["routes"]


def test_requests_are_spread_over_batches_that_fit(store, monkeypatch):
    monkeypatch.setattr("crane.judges.batch.LARGEST", 8)
    with Server() as server:
        ask(server, store, records(20), kind="openai_batch")
        assert server.stats()["batches"] == 3
    monkeypatch.setattr("crane.judges.batch.LARGEST_FILE", 3000)
    with Server() as server:
        ask(server, store, records(4), kind="openai_batch")
        assert 2 <= server.stats()["batches"] <= 4


def test_the_claims_folder_is_left_empty(tmp_path):
    with JudgementStore(tmp_path / "j.sqlite") as store, Server() as server:
        ask(server, store, records(2))
    assert not list(Path(tmp_path / "j.sqlite.claims").iterdir())
