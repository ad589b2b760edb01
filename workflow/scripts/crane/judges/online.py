"""Judges behind an OpenAI-compatible endpoint, one request per answer, several in flight."""

import asyncio
import json
import math
from collections.abc import Sequence
from typing import Any

import openai

from crane.judges.endpoint import RETRIES, Endpoint
from crane.judges.interface import Failure, JudgeError, Record, Request

LONGEST_WAIT = 3600.0
"""Seconds that a Retry-After is followed; the client itself follows two minutes."""


class OnlineJudge:
    """Sends chat completions concurrently (a `Backend`).

    The official client retries 408, 409, 429, 5xx, time-outs and lost connections and follows Retry-After. What it
    does not see are replies of status 200 that are no completion (cut JSON, a web page): they are sent again here.

    Args:
        endpoint: where to.
        concurrency: requests in flight.
    """

    def __init__(self, endpoint: Endpoint, concurrency: int) -> None:
        self.endpoint = endpoint
        self.check_model = endpoint.check_model
        self._concurrency = concurrency

    uses_batches = False

    def ask(self, requests: Sequence[Request], record: Record) -> dict[str, Failure]:
        """See `crane.judges.interface.Backend`."""
        return asyncio.run(self._ask_all(requests, record))

    async def _ask_all(self, requests: Sequence[Request], record: Record) -> dict[str, Failure]:
        failures: dict[str, Failure] = {}
        waiting = iter(requests)
        recorder = _Recorder(record)
        stop: list[JudgeError] = []
        async with openai.AsyncOpenAI(**self.endpoint.settings) as client:

            async def work() -> None:
                for request in waiting:
                    try:
                        reply = await self._ask(client, request.body)
                    except JudgeError as error:
                        stop.append(error)
                        return
                    if isinstance(reply, Failure):
                        failures[request.key] = reply
                    else:
                        await recorder(request.key, reply)
                    if stop:  # what is in flight elsewhere is still recorded: it is paid for
                        return

            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._concurrency, len(requests))):
                    group.create_task(work())
        if stop:
            raise stop[0]
        return failures

    async def _ask(self, client: openai.AsyncOpenAI, body: dict[str, Any]) -> dict[str, Any] | Failure:
        failure = Failure("not asked", refused=False)
        for attempt in range(RETRIES):
            if attempt:
                await asyncio.sleep(min(0.25 * 2**attempt, 8.0))
            try:
                raw = await client.chat.completions.with_raw_response.create(**body)
            except openai.APIError as error:
                wait = _long_wait(error)
                if wait is None:
                    return self.endpoint.failure(error)
                await asyncio.sleep(wait)
                continue
            reply = completion(self.endpoint.hidden(raw.http_response.text))
            if reply is not None:
                return reply
            failure = Failure("the endpoint's reply is not a chat completion", refused=False)
        return failure


class _Recorder:
    """Records replies outside the event loop, together those that arrive while others are being written.

    Whoever hands in a reply waits until it is on the disk before the next request is sent, so that a job that is
    killed loses no more replies than it has requests in flight.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._waiting: dict[str, dict[str, Any]] = {}
        self._turn = asyncio.Lock()

    async def __call__(self, key: str, reply: dict[str, Any]) -> None:
        self._waiting[key] = reply
        async with self._turn:
            if key in self._waiting:  # else the writer before took it along
                replies, self._waiting = self._waiting, {}
                await asyncio.to_thread(self._record, replies)


def completion(text: str) -> dict[str, Any] | None:
    """Return a chat completion from the text of a response, None where it is not a whole one."""
    try:
        value = json.loads(text)
        message = value["choices"][0]["message"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return None
    return value if isinstance(message, dict) else None


def _long_wait(error: openai.APIError) -> float | None:
    """Return the seconds of a Retry-After that the client found too long to follow, if there is one."""
    if not isinstance(error, openai.APIStatusError):
        return None
    try:
        seconds = float(error.response.headers.get("retry-after", "nan"))
    except ValueError:
        return None
    return min(seconds, LONGEST_WAIT) if math.isfinite(seconds) and seconds > 120 else None
