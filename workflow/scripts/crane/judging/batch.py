"""Judges behind the batches of an OpenAI-compatible endpoint: requests and replies as files, at half the price.

So that nothing is paid twice, the store records that a batch is about to be submitted (with a mark that the batch
carries as metadata), and then its id at the endpoint before its status is first requested. A job that was killed at any
point finds its batch again, by id or by mark, and submits only requests that no batch holds. A batch stays open in the
store until all its results are stored, or until it is certain that it does not exist.
"""

import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import openai

from crane.judging.batch_routes import COMPLETIONS, BatchRoutes
from crane.judging.completions import described, error_in, is_completion
from crane.judging.endpoint import RETRIES, Endpoint, hopeless, refuses, retry_after
from crane.judging.interface import Failure, JudgeError, Record, Request
from crane.judging.online import LONGEST_WAIT, NO_COMPLETION
from crane.judging.store import Batch, JudgementStore

LARGEST = 50_000
"""Maximum number of requests in a batch."""
LARGEST_FILE = 150_000_000
"""Maximum size of its file in bytes; OpenAI accepts 200 MB."""
ROUNDS = 4
"""Maximum number of times a job submits batches; later rounds hold requests that expired, failed or have no result."""
DOWNLOADS = 4
"""Maximum number of downloads of results that hold less than the batch states."""
ENDED = ("completed", "failed", "expired", "cancelled")

Results = dict[str, dict[str, Any] | Failure]


class BatchJudge:
    """Sends chat completions in batches (a `Backend`).

    Args:
        endpoint: the endpoint.
        store: records the submitted batches.
        poll_seconds: seconds between two status requests.
    """

    uses_batches = True

    def __init__(self, endpoint: Endpoint, store: JudgementStore, poll_seconds: float) -> None:
        self.endpoint = endpoint
        self.check_model = endpoint.check_model
        self._store = store
        self._pause = poll_seconds
        self._stop: JudgeError | None = None

    def ask(self, requests: Sequence[Request], record: Record) -> dict[str, Failure]:
        """See `crane.judging.interface.Backend`."""
        by_key = {request.key: request for request in requests}
        failures: dict[str, Failure] = {}
        with self.endpoint.client() as client:
            routes = BatchRoutes(self.endpoint, client)
            try:
                for batch in self._store.open_batches(by_key):
                    self._resume(routes, batch, record, failures)
                for _ in range(ROUNDS):
                    answered = self._store.replies(by_key)
                    left = [
                        r for key, r in by_key.items() if key not in answered and not _settled(failures, key)
                    ]
                    if not left:
                        break
                    uids = [self._hand_in(routes, part) for part in _parts(left)]
                    for batch in self._store.open_batches(by_key):
                        if batch.uid in uids:
                            self._fetch(routes, batch, record, failures)
            except openai.APIError as error:
                raise self.endpoint.stop(error) from None
        answered = self._store.replies(by_key)
        missing = Failure("missing in every batch's output", refused=False)
        return {key: failures.get(key, missing) for key in by_key if key not in answered}

    def _hand_in(self, routes: BatchRoutes, requests: Sequence[Request]) -> str:
        """Upload a file and create its batch; return its mark."""
        uid = uuid.uuid4().hex
        file_id = routes.upload(f"crane-{uid}.jsonl", "".join(map(_line, requests)))
        self._store.note_batch(uid, self.endpoint.base_url, [request.key for request in requests])
        batch_id = self._create(routes, file_id, uid)
        self._store.note_batch_id(uid, batch_id)
        print(f"batch {batch_id}: {len(requests)} requests submitted", flush=True)
        return uid

    def _create(self, routes: BatchRoutes, file_id: str, uid: str) -> str:
        """Create a batch and return its name.

        Creating a batch is what costs money. An attempt whose answer was lost, or was a server error (such as a
        gateway's time-out), may have succeeded; the mark shows whether it did. Only if every attempt was refused is it
        certain that there is no batch, and its note is closed.
        """
        unseen = False
        pause = 0.0
        stop = JudgeError(
            f"judge at {self.endpoint.base_url}: the reply to a new batch cannot be parsed; run again"
        )
        for attempt in range(RETRIES):
            if pause:
                time.sleep(pause)
            pause = min(0.5 * 2**attempt, 8.0)
            try:
                if made := routes.create(file_id, uid):
                    return made
            except openai.APIError as error:
                stop = self.endpoint.stop(error)
                if hopeless(error):
                    break
                pause = min(retry_after(error) or pause, LONGEST_WAIT)
                if refuses(error):
                    continue
            unseen = True
            if batch_id := routes.find(uid):
                return batch_id
        if not unseen:
            self._store.close_batch(uid)
        raise stop

    def _resume(
        self, routes: BatchRoutes, batch: Batch, record: Record, failures: dict[str, Failure]
    ) -> None:
        """Take over a batch of a job that ended before fetching it."""
        try:
            batch_id = batch.batch_id or routes.find(batch.uid)
        except openai.NotFoundError:
            raise self._forgotten(batch) from None
        if batch_id is None:  # the job ended before the batch was created
            self._store.close_batch(batch.uid)
            return
        print(f"batch {batch_id}: submitted by an earlier job, taken over", flush=True)
        self._store.note_batch_id(batch.uid, batch_id)
        self._fetch(routes, batch._replace(batch_id=batch_id), record, failures)

    def _fetch(self, routes: BatchRoutes, batch: Batch, record: Record, failures: dict[str, Failure]) -> None:
        """Wait until a batch ends and record all its results."""
        assert batch.batch_id is not None
        results: Results = {}
        for attempt in range(DOWNLOADS):
            if attempt:
                time.sleep(min(0.5 * 2**attempt, 8.0))
            try:
                while (state := routes.look(batch.batch_id)).status not in ENDED:
                    time.sleep(self._pause)
                whole = [self._download(routes, file_id, results) for file_id in state.files]
            except openai.NotFoundError:
                raise self._forgotten(batch) from None
            stated = min(state.results, len(batch.keys))
            if all(whole) and len(results) >= stated:
                break
        held = {key: results[key] for key in batch.keys if key in results}
        replies = {key: result for key, result in held.items() if not isinstance(result, Failure)}
        errors = {key: result for key, result in held.items() if isinstance(result, Failure)}
        record(replies)
        failures |= errors
        for key in replies:
            failures.pop(key, None)
        missing = len(batch.keys) - len(held)
        print(f"batch {batch.batch_id}: {state.status}, {len(replies)} replies, {len(errors)} errors, {missing} "
              f"missing, {len(results) - len(held)} foreign", flush=True)  # fmt: skip
        where = f"judge at {self.endpoint.base_url}: batch {batch.batch_id}"
        if not all(whole) or len(results) < stated:
            raise JudgeError(
                f"{where}: {stated} results stated, {len(results)} could be parsed; these are stored, run again for "
                f"the rest, or {self._giving_up(batch)}"
            )
        self._store.close_batch(batch.uid)
        if state.status == "failed" and not replies:
            raise JudgeError(f"{where} failed: {state.errors or 'no reason given'}")
        if state.status == "cancelled" and len(replies) < len(batch.keys):
            raise JudgeError(
                f"{where} was cancelled with {len(replies)} of {len(batch.keys)} requests answered, which are stored; "
                "run again to submit the rest"
            )
        if self._stop:
            raise self._stop

    def _download(self, routes: BatchRoutes, file_id: str, results: Results) -> bool:
        """Add the content of a file to the results; return whether all its lines could be parsed."""
        lines, whole = routes.lines(file_id)
        for line in lines:
            if not isinstance(results.get(line["custom_id"]), dict):  # an error never replaces a reply
                results[line["custom_id"]] = self._result(line)
        return whole

    def _result(self, line: Mapping[str, Any]) -> dict[str, Any] | Failure:
        """Return the completion of one line of an output or error file, or note that its error ends the job."""
        response = _object(line.get("response"))
        status, body = response.get("status_code"), response.get("body")
        if status == 200 and is_completion(body):
            return _object(body)
        if status == 200:
            error = error_in(body)
            if error is None:
                return NO_COMPLETION
        else:
            error = described(line.get("error") or body)
            error = error._replace(status=status if isinstance(status, int) else error.status)
        try:
            return self.endpoint.failure_in(error)
        except JudgeError as stop:
            self._stop = stop
            return Failure(str(stop), refused=True)

    def _forgotten(self, batch: Batch) -> JudgeError:
        name = batch.batch_id or f"with the mark {batch.uid}"
        return JudgeError(
            f"judge at {self.endpoint.base_url}: submitted batch {name}, or its results, are not found with this key "
            f"(HTTP 404); set the key with which it was submitted, or {self._giving_up(batch)}"
        )

    def _giving_up(self, batch: Batch) -> str:
        statement = f"UPDATE batch SET open = 0 WHERE uid = '{batch.uid}'"
        return f'give it up and pay again for what is missing: sqlite3 {self._store.path} "{statement}"'


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _settled(failures: Mapping[str, Failure], key: str) -> bool:
    return key in failures and failures[key].refused


def _line(request: Request) -> str:
    line = {"custom_id": request.key, "method": "POST", "url": COMPLETIONS, "body": request.body}
    return json.dumps(line) + "\n"


def _parts(requests: Sequence[Request]) -> Iterator[list[Request]]:
    """Yield the requests in parts that each fit one batch."""
    part: list[Request] = []
    size = 0
    for request in requests:
        length = len(_line(request))
        if part and (len(part) == LARGEST or size + length > LARGEST_FILE):
            yield part
            part, size = [], 0
        part.append(request)
        size += length
    if part:
        yield part
