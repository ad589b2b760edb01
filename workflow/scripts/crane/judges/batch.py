"""Judges behind an OpenAI-compatible endpoint's batches: requests by file, replies by file, half the price.

What could be paid twice is written down before it is needed: that a batch is about to be handed in (its own mark goes
with it as metadata), then the endpoint's name for it, before the first look at it. A job that was killed anywhere in
between finds its batch again, by name or by mark, and asks only for what no batch has.
"""

import io
import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import openai

from crane.judges.endpoint import RETRIES, Endpoint
from crane.judges.interface import Failure, JudgeError, Record, Request
from crane.judges.online import completion
from crane.judges.store import Batch, JudgementStore

ROUTE = "/v1/chat/completions"
MARK = "crane"
"""Name of the metadata that says whose batch it is."""
LARGEST = 50_000
"""Requests of a batch."""
LARGEST_FILE = 150_000_000
"""Bytes of its file; OpenAI takes 200 MB."""
ROUNDS = 4
"""How often what expired, failed or is missing in the output is handed in at most."""
ENDED = ("completed", "failed", "expired", "cancelled")


class BatchJudge:
    """Sends chat completions in batches (a `Backend`).

    Args:
        endpoint: where to.
        store: remembers batches handed in.
        poll_seconds: pause between two looks at a batch.
    """

    uses_batches = True

    def __init__(self, endpoint: Endpoint, store: JudgementStore, poll_seconds: float) -> None:
        self.endpoint = endpoint
        self.check_model = endpoint.check_model
        self._store = store
        self._pause = poll_seconds

    def ask(self, requests: Sequence[Request], record: Record) -> dict[str, Failure]:
        """See `crane.judges.interface.Backend`."""
        by_key = {request.key: request for request in requests}
        failures: dict[str, Failure] = {}
        with openai.OpenAI(**self.endpoint.settings) as client:
            try:
                for batch in self._store.open_batches(by_key):
                    self._resume(client, batch, record, failures)
                for _ in range(ROUNDS):
                    answered = self._store.replies(by_key)
                    left = [
                        r for key, r in by_key.items() if key not in answered and not _settled(failures, key)
                    ]
                    if not left:
                        break
                    uids = [self._hand_in(client, part) for part in _parts(left)]
                    for batch in self._store.open_batches(by_key):
                        if batch.uid in uids:
                            self._fetch(client, batch, record, failures)
            except openai.APIError as error:
                raise self.endpoint.stop(error) from None
        answered = self._store.replies(by_key)
        missing = Failure("missing in every batch's output", refused=False)
        return {key: failures.get(key, missing) for key in by_key if key not in answered}

    def _hand_in(self, client: openai.OpenAI, requests: Sequence[Request]) -> str:
        """Upload a file and create its batch; return its mark."""
        text = "".join(map(_line, requests))
        uid = uuid.uuid4().hex
        uploaded = client.files.create(
            file=(f"crane-{uid}.jsonl", io.BytesIO(text.encode())), purpose="batch"
        )
        self._store.note_batch(uid, self.endpoint.base_url, [request.key for request in requests])
        try:
            batch_id = self._create(client, uploaded.id, uid)
        except openai.APIStatusError:  # told that there is none; after a lost connection nobody knows
            self._store.close_batch(uid)
            raise
        self._store.note_batch_id(uid, batch_id)
        print(f"batch {batch_id}: {len(requests)} requests handed in", flush=True)
        return uid

    def _create(self, client: openai.OpenAI, file_id: str, uid: str) -> str:
        """Create a batch and return its name.

        Creating is what is paid for, so the client does not try again by itself: a try whose answer was lost may
        have succeeded, which the mark tells.
        """
        once = client.with_options(max_retries=0)
        for attempt in range(RETRIES):
            try:
                made = once.batches.create(
                    input_file_id=file_id, endpoint=ROUTE, completion_window="24h", metadata={MARK: uid}
                )
                return made.id
            except openai.APIError as error:
                if found := self._find(client, uid):
                    return found
                if attempt == RETRIES - 1 or self.endpoint.failure(error).refused:
                    raise
                time.sleep(min(0.5 * 2**attempt, 8.0))
        raise AssertionError("unreachable")

    def _find(self, client: openai.OpenAI, uid: str) -> str | None:
        """Return the endpoint's name of the batch that carries a mark, None if it never came into being."""
        for batch in client.batches.list(limit=100):
            if (batch.metadata or {}).get(MARK) == uid:
                return batch.id
        return None

    def _resume(
        self, client: openai.OpenAI, batch: Batch, record: Record, failures: dict[str, Failure]
    ) -> None:
        """Take over a batch of a job that ended before it had fetched it."""
        batch_id = batch.batch_id or self._find(client, batch.uid)
        if batch_id is None:
            self._store.close_batch(batch.uid)
            return
        print(f"batch {batch_id}: handed in by an earlier job, taken over", flush=True)
        self._store.note_batch_id(batch.uid, batch_id)
        self._fetch(client, batch._replace(batch_id=batch_id), record, failures)

    def _fetch(
        self, client: openai.OpenAI, batch: Batch, record: Record, failures: dict[str, Failure]
    ) -> None:
        """Wait for a batch's end and record all that it holds."""
        assert batch.batch_id is not None
        try:
            while (state := client.batches.retrieve(batch.batch_id)).status not in ENDED:
                time.sleep(self._pause)
        except openai.NotFoundError:
            print(f"batch {batch.batch_id}: the endpoint does not know it any more", flush=True)
            self._store.close_batch(batch.uid)
            return
        counts = {"replies": 0, "errors": 0, "foreign": 0}
        wanted = set(batch.keys)
        for file_id in (state.output_file_id, state.error_file_id):
            if not file_id:
                continue
            replies: dict[str, dict[str, Any]] = {}
            for line in _lines(self.endpoint.hidden(client.files.content(file_id).text)):
                key = line.get("custom_id")
                if key not in wanted:
                    counts["foreign"] += 1
                    continue
                result = _result(line)
                if isinstance(result, Failure):
                    counts["errors"] += 1
                    failures[key] = result
                else:
                    counts["replies"] += 1
                    failures.pop(key, None)
                    replies[key] = result
            record(replies)
        self._store.close_batch(batch.uid)
        missing = len(wanted) - counts["replies"] - counts["errors"]
        print(f"batch {batch.batch_id}: {state.status}, {counts}, {missing} missing", flush=True)
        if state.status == "failed" and not counts["replies"]:
            told = "; ".join(
                str(error.message) for error in (state.errors.data if state.errors else None) or ()
            )
            raise JudgeError(
                f"judge at {self.endpoint.base_url}: batch {batch.batch_id} failed: "
                f"{self.endpoint.hidden(told)[:300] or 'no reason given'}"
            )


def _settled(failures: Mapping[str, Failure], key: str) -> bool:
    return key in failures and failures[key].refused


def _line(request: Request) -> str:
    line = {"custom_id": request.key, "method": "POST", "url": ROUTE, "body": request.body}
    return json.dumps(line, ensure_ascii=False) + "\n"


def _parts(requests: Sequence[Request]) -> Iterator[list[Request]]:
    """Yield what fits one batch."""
    part: list[Request] = []
    size = 0
    for request in requests:
        length = len(_line(request).encode())
        if part and (len(part) == LARGEST or size + length > LARGEST_FILE):
            yield part
            part, size = [], 0
        part.append(request)
        size += length
    if part:
        yield part


def _lines(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a file's lines; a line that is cut counts as missing."""
    for line in text.split("\n"):  # not splitlines: replies may hold other line separators
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value


def _result(line: Mapping[str, Any]) -> dict[str, Any] | Failure:
    """Return the completion of one line of an output or error file."""
    response = line.get("response") or {}
    status = response.get("status_code")
    body = response.get("body")
    if status == 200:
        reply = completion(json.dumps(body))
        return reply or Failure("the endpoint's reply is not a chat completion", refused=False)
    error = line.get("error") or (body.get("error") if isinstance(body, dict) else None) or {}
    told = " ".join(f"{error.get('code') or status}: {error.get('message') or 'no reason given'}".split())[
        :300
    ]
    return Failure(told, refused=status is not None and 400 <= status < 500 and status not in (408, 409, 429))
