"""The judgement store: nothing is asked twice, nothing is lost, whoever dies."""

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from crane.judging.interface import JudgeError
from crane.judging.store import JudgementStore
from support.judge_requests import keys, requests
from support.places import ROOT, SCRIPTS


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results" / "judgements.sqlite"


def test_replies_stay(path):
    with JudgementStore(path) as store:
        assert store.claim(requests(1, 2)) == requests(1, 2)
        store.record({keys(1)[0]: {"text": "một"}})
        assert store.replies(keys(1, 2, 3)) == {keys(1)[0]: {"text": "một"}}
    with JudgementStore(path) as store:
        assert len(store) == 1
        assert store.claim(requests(1, 2)) == requests(2)
        store.record({keys(1)[0]: {"text": "two"}})  # the first stays
        assert store.replies(keys(1))[keys(1)[0]] == {"text": "một"}
    assert not list(path.parent.glob("*.claims/*"))


def test_the_store_is_append_only(path):
    with JudgementStore(path) as store:
        store.claim(requests(1))
        store.record({keys(1)[0]: {}})
    with sqlite3.connect(path) as database:
        for statement in ("UPDATE reply SET reply = '{}'", "DELETE FROM reply"):
            with pytest.raises(sqlite3.IntegrityError, match="replies are never"):
                database.execute(statement)


def test_thousands_of_keys_are_claimed_and_read_at_once(path):
    many = requests(*range(2500))
    with JudgementStore(path) as store:
        assert len(store.claim(many)) == 2500
        store.record({request.key: {"n": 1} for request in many})
        assert len(store.replies(request.key for request in many)) == 2500
        assert store.claim(many) == []


def test_a_claim_of_a_living_job_is_respected(path):
    with JudgementStore(path) as one, JudgementStore(path) as other:
        assert one.claim(requests(1, 2)) == requests(1, 2)
        assert other.claim(requests(1, 2, 3)) == requests(3)
        assert one.claim(requests(1)) == []  # its own claim is in work, not to be sent again
        one.release(keys(1))
        assert other.claim(requests(1, 2)) == requests(1)
        one.record({keys(2)[0]: {}})
        assert other.claim(requests(2)) == []


def test_claims_end_with_the_job(path):
    with JudgementStore(path) as one:
        one.claim(requests(1))
    with JudgementStore(path) as other:
        assert other.claim(requests(1)) == requests(1)


CLAIMER = """
import sys, time
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from crane.judging.store import JudgementStore
from support.judge_requests import requests
with JudgementStore(sys.argv[3]) as store:
    print(len(store.claim(requests(*range(10)))), flush=True)
    time.sleep(60)
"""


def test_claims_of_a_killed_job_are_taken_over_at_once(path):
    command = [sys.executable, "-c", CLAIMER, str(SCRIPTS), str(ROOT / "tests"), str(path)]
    with JudgementStore(path) as store:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as job:
            assert job.stdout is not None and job.stdout.readline() == "10\n"
            assert store.claim(requests(*range(12))) == requests(10, 11)
            os.kill(job.pid, signal.SIGKILL)
            job.wait()
        start = time.monotonic()
        assert store.claim(requests(*range(12))) == requests(*range(10))
        assert time.monotonic() - start < 5


def test_jobs_at_once_share_the_work(path):
    """Eight threads, each with its own connection, want the same 200 replies: each is claimed once."""
    claimed: list[str] = []

    def job() -> None:
        with JudgementStore(path) as store:
            for start in range(0, 200, 20):
                mine = store.claim(requests(*range(start, start + 20)))
                claimed.extend(request.key for request in mine)
                for request in mine:
                    store.record({request.key: {}})

    threads = [threading.Thread(target=job, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(claimed) == sorted(keys(*range(200)))


def test_a_damaged_store_is_told(path):
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(JudgeError, match=r"judgements\.sqlite: not a readable judgement store.*restore it"):
        JudgementStore(path).__enter__()
    assert not list(path.parent.glob("*.claims/*"))


def told(path, patience=0.1) -> str:
    """Return the error of opening a store that is whole."""
    with pytest.raises(JudgeError) as caught:
        JudgementStore(path, patience).__enter__()
    assert "move it away" not in str(caught.value)
    return str(caught.value)


def test_a_store_that_others_hold_is_not_told_as_damaged(path):
    with JudgementStore(path), sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "cannot be used at the moment (database is locked): other jobs write to it" in told(path)
        other.execute("ROLLBACK")
    with JudgementStore(path):
        pass


def test_a_store_that_cannot_be_opened_is_told(path):
    path.mkdir(parents=True)
    assert "(unable to open database file): the file and its folder must be writable by this user" in told(
        path
    )


def test_a_folder_without_rights_or_locks_is_told(path):
    path.parent.mkdir()
    path.with_name(f"{path.name}.claims").write_text("in the way")
    assert "no lock" in told(path) and "must be writable, on a file system with locks" in told(path)


def test_a_full_disk_is_told_and_loses_nothing(path):
    with JudgementStore(path) as store:
        store.claim(requests(1, 2))
        store.record({keys(1)[0]: {"text": "one"}})
        store._database.execute("PRAGMA max_page_count = 20")
        with pytest.raises(JudgeError, match=r"\(database or disk is full\): free some disk space"):
            store.record({keys(2)[0]: {"text": "two" * 100_000}})
        store._database.execute("PRAGMA max_page_count = 1000000")
        assert store.replies(keys(1, 2)) == {keys(1)[0]: {"text": "one"}}
        store.record({keys(2)[0]: {"text": "two"}})
        assert len(store) == 2


def test_without_locks_no_marker_takes_their_place(path, monkeypatch):
    """On a file system without them; the marker of a job that was killed would stay."""

    def missing(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("filelock._unix.fcntl.flock", missing)
    assert "no lock ([Errno 38] Function not implemented)" in told(path)
    assert not list(path.parent.glob("*.claims/*.soft*"))


def test_batches_are_remembered_until_they_are_fetched(path):
    with JudgementStore(path) as store:
        store.note_batch("u1", "http://h/v1", keys(1, 2))
        store.note_batch("u2", "http://h/v1", keys(3))
        store.note_batch_id("u2", "batch_2")
    with JudgementStore(path) as store:
        assert [(b.uid, b.batch_id, set(b.keys)) for b in store.open_batches(keys(2, 3, 4))] == [
            ("u1", None, set(keys(1, 2))),
            ("u2", "batch_2", set(keys(3))),
        ]
        assert store.open_batches(keys(4)) == []
        store.close_batch("u2")
        assert [b.uid for b in store.open_batches(keys(1, 3))] == ["u1"]
