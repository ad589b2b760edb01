"""The judgement store: every reply that was ever paid for, shared by all studies and jobs; no request is sent twice.

It is one SQLite file. Replies are appended and never changed (triggers refuse it). It uses the rollback journal, not
WAL: results are often on a network file system, where WAL's shared memory does not work (https://sqlite.org/wal.html),
and a reply per second needs no more. `synchronous=FULL`: recorded replies survive a loss of power.

If two jobs want the same reply at the same time, one request is sent: a job *claims* a request before sending it. A
claim is valid while its claimer's process is alive, which the operating system knows: every claimer holds a file lock
(`filelock`) until its process ends. A killed job holds none, so that its claims are taken over immediately; there is no
expiry to choose, no clock to trust and nothing to clean up.
"""

import json
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from crane.judging.interface import JudgeError, Request

_CHUNK = 500  # SQLite takes a limited number of parameters
_MOMENTARY = {
    sqlite3.SQLITE_BUSY: "other jobs write to it all the time, or one of them hangs: run again when they are done",
    sqlite3.SQLITE_FULL: "free some disk space and run again; stored replies are kept",
    sqlite3.SQLITE_IOERR: "check the disk and run again; stored replies are kept",
    sqlite3.SQLITE_READONLY: "give this user write permission on it and on its folder",
    sqlite3.SQLITE_CANTOPEN: "the file and its folder must be writable by this user",
}
"""How to fix errors that do not mean that the file is damaged."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS request (key TEXT PRIMARY KEY, request TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reply (key TEXT PRIMARY KEY, reply TEXT NOT NULL, received REAL NOT NULL) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS reply_stays BEFORE DELETE ON reply
    BEGIN SELECT RAISE(ABORT, 'replies are never deleted'); END;
CREATE TRIGGER IF NOT EXISTS reply_unchanged BEFORE UPDATE ON reply
    BEGIN SELECT RAISE(ABORT, 'replies are never changed'); END;
CREATE TABLE IF NOT EXISTS claim (key TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batch (
    uid TEXT PRIMARY KEY, endpoint TEXT NOT NULL, batch_id TEXT, open INTEGER NOT NULL, made REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS batched (key TEXT NOT NULL, uid TEXT NOT NULL, PRIMARY KEY (key, uid)) WITHOUT ROWID;
"""


class Batch(NamedTuple):
    """A batch that was submitted, or about to be, and has not been fetched."""

    uid: str
    batch_id: str | None
    """Its id at the endpoint; None: it is unknown whether it was created."""
    keys: list[str]


class JudgementStore:
    """The store in one file, opened by one job; a context manager.

    Args:
        path: the SQLite file; created with its folder if missing.
        patience: seconds to wait for other jobs' transactions.
    """

    def __init__(self, path: str | Path, patience: float = 120) -> None:
        self.path = Path(path)
        self._patience = patience
        self._owner = uuid.uuid4().hex
        self._alive = self._lock(self._owner)

    def _lock(self, owner: str, timeout: float = -1) -> FileLock:
        path = self.path.with_name(f"{self.path.name}.claims") / f"{owner}.lock"
        # No marker file in place of a lock: that of a killed job would remain.
        return FileLock(path, timeout=timeout, fallback_to_soft=False)

    def __enter__(self) -> "JudgementStore":
        try:
            Path(self._alive.lock_file).parent.mkdir(parents=True, exist_ok=True)
            self._alive.acquire()
        except OSError as error:
            raise JudgeError(
                f"{self._alive.lock_file}: no lock ({error}); results/ must be writable, on a file system with locks"
            ) from error
        try:
            self._open()
        except JudgeError:
            self._let_go()
            raise
        return self

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn SQLite's errors into one line that says whether the file is to blame."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest is detail
            if code in _MOMENTARY:
                told = f"the judgement store cannot be used at the moment ({error}): {_MOMENTARY[code]}"
            else:
                told = (
                    f"not a readable judgement store ({error}); it holds every reply paid for: restore it from a copy, "
                    "or move it away to start an empty one"
                )
            raise JudgeError(f"{self.path}: {told}") from error

    def _open(self) -> None:
        with self._told():
            self._connect()
        with self._writing():
            for statement in _statements(_SCHEMA):
                self._database.execute(statement)

    def _connect(self) -> None:
        self._database = sqlite3.connect(
            self.path, timeout=self._patience, isolation_level=None, check_same_thread=False
        )
        # The folder need not be synchronised every time.
        self._database.execute("PRAGMA journal_mode=PERSIST")
        self._database.execute("PRAGMA synchronous=FULL")

    def __exit__(self, *_: object) -> None:
        try:
            with self._writing():
                self._database.execute("DELETE FROM claim WHERE owner = ?", (self._owner,))
        finally:
            self._database.close()
            self._let_go()

    def _let_go(self) -> None:
        self._alive.release()
        Path(self._alive.lock_file).unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the file's write lock from the start, so that what is read inside remains valid."""
        with self._told():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # after some errors SQLite has rolled back itself
                    self._database.execute("ROLLBACK")
                raise

    # Replies --------------------------------------------------------------------------------------------

    def replies(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the replies that are known, by key."""
        return {key: json.loads(reply) for key, reply in self._select("key, reply", "reply", keys)}

    def record(self, replies: Mapping[str, dict[str, Any]]) -> None:
        """Append replies by key of the request and release the claims; the first of two replies to a request stays."""
        now = time.time()
        rows = [(key, json.dumps(reply, ensure_ascii=False), now) for key, reply in replies.items()]
        with self._writing():
            self._database.executemany("INSERT OR IGNORE INTO reply VALUES (?, ?, ?)", rows)
            self._database.executemany("DELETE FROM claim WHERE key = ?", [(key,) for key in replies])

    def __len__(self) -> int:
        return self._database.execute("SELECT count(*) FROM reply").fetchone()[0]

    def _select(self, columns: str, table: str, keys: Iterable[str]) -> Iterator[tuple[Any, ...]]:
        wanted = list(keys)
        for start in range(0, len(wanted), _CHUNK):
            some = wanted[start : start + _CHUNK]
            marks = ",".join("?" * len(some))
            with self._told():
                rows = self._database.execute(
                    f"SELECT {columns} FROM {table} WHERE key IN ({marks})", some
                ).fetchall()
            yield from rows

    # Claims ---------------------------------------------------------------------------------------------

    def claim(self, requests: Sequence[Request]) -> list[Request]:
        """Claim requests without a reply and without a living claimer; return those that this job must now send."""
        by_key = {request.key: request for request in requests}
        with self._writing():
            known = {key for (key,) in self._select("key", "reply", by_key)}
            owners = dict(self._select("key, owner", "claim", by_key))
            dead = {owner for owner in set(owners.values()) if not self._lives(owner)}
            free = [key for key in by_key if key not in known and owners.get(key) in dead | {None}]
            self._database.executemany(
                "INSERT OR REPLACE INTO claim VALUES (?, ?)", [(key, self._owner) for key in free]
            )
            self._database.executemany(
                "INSERT OR IGNORE INTO request VALUES (?, ?)",
                [(key, json.dumps(by_key[key]._asdict(), ensure_ascii=False)) for key in free],
            )
        return [by_key[key] for key in free]

    def release(self, keys: Iterable[str]) -> None:
        """Release this job's claims on requests that got no reply."""
        with self._writing():
            self._database.executemany(
                "DELETE FROM claim WHERE key = ? AND owner = ?", [(key, self._owner) for key in keys]
            )

    def _lives(self, owner: str) -> bool:
        """Return whether a claimer's process still holds its lock."""
        if owner == self._owner:
            return True
        lock = self._lock(owner, timeout=0)
        try:
            with lock:
                Path(lock.lock_file).unlink(missing_ok=True)
                return False
        except Timeout:
            return True

    # Batches --------------------------------------------------------------------------------------------

    def note_batch(self, uid: str, endpoint: str, keys: Sequence[str]) -> None:
        """Record that a batch of these requests is about to be submitted."""
        with self._writing():
            self._database.execute(
                "INSERT INTO batch VALUES (?, ?, NULL, 1, ?)", (uid, endpoint, time.time())
            )
            self._database.executemany("INSERT INTO batched VALUES (?, ?)", [(key, uid) for key in keys])

    def note_batch_id(self, uid: str, batch_id: str) -> None:
        """Record a batch's id at the endpoint."""
        with self._writing():
            self._database.execute("UPDATE batch SET batch_id = ? WHERE uid = ?", (batch_id, uid))

    def close_batch(self, uid: str) -> None:
        """Record that a batch is closed: all its results were fetched, or it was never created."""
        with self._writing():
            self._database.execute("UPDATE batch SET open = 0 WHERE uid = ?", (uid,))

    def open_batches(self, keys: Iterable[str]) -> list[Batch]:
        """Return the batches that hold any of these requests and have not been fetched."""
        uids = sorted({uid for (uid,) in self._select("uid", "batched", keys)})
        batches = []
        with self._told():
            for uid in uids:
                row = self._database.execute(
                    "SELECT batch_id FROM batch WHERE uid = ? AND open", (uid,)
                ).fetchone()
                if row:
                    rows = self._database.execute("SELECT key FROM batched WHERE uid = ?", (uid,))
                    batches.append(Batch(uid, row[0], [key for (key,) in rows]))
        return batches


def _statements(script: str) -> Iterator[str]:
    """Split a script into statements; `executescript` would commit the surrounding transaction."""
    statement = ""
    for line in script.strip().splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
