"""Judges behind an OpenAI-compatible endpoint, one request per answer, several in flight."""

import asyncio
from collections.abc import Sequence
from typing import Any

import openai

from crane.judging.completions import error_in, is_completion
from crane.judging.endpoint import RETRIES, Endpoint, retry_after
from crane.judging.interface import Failure, JudgeError, Record, Request

CLIENTS_WAIT = 120.0
"""Longest Retry-After, in seconds, that the client itself follows."""
LONGEST_WAIT = 3600.0
"""Longest wait, in seconds, if Retry-After asks for more."""
NO_COMPLETION = Failure("the endpoint's reply is not a chat completion", refused=False)


class OnlineJudge:
    """Sends chat completions concurrently (a `Backend`).

    The official client retries 408, 409, 429, 5xx, time-outs and lost connections and follows Retry-After. It accepts
    replies with status 200 that are no completion (truncated JSON, a web page, an error that may pass): those requests
    are repeated here.

    Args:
        endpoint: the endpoint.
        concurrency: requests in flight.
    """

    def __init__(self, endpoint: Endpoint, concurrency: int) -> None:
        self.endpoint = endpoint
        self.check_model = endpoint.check_model
        self._concurrency = concurrency

    uses_batches = False

    def ask(self, requests: Sequence[Request], record: Record) -> dict[str, Failure]:
        """See `crane.judging.interface.Backend`."""
        return asyncio.run(self._ask_all(requests, record))

    async def _ask_all(self, requests: Sequence[Request], record: Record) -> dict[str, Failure]:
        failures: dict[str, Failure] = {}
        waiting = iter(requests)
        recorder = _Recorder(record)
        stop: list[JudgeError] = []
        async with self.endpoint.async_client() as client:

            async def work() -> None:
                for request in waiting:
                    try:
                        reply = await self._ask(client, request.body)
                        if isinstance(reply, Failure):
                            failures[request.key] = reply
                        else:
                            await recorder(request.key, reply)
                    except JudgeError as error:
                        stop.append(error)
                    if stop:  # requests in flight are still recorded: they are paid for
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
                failure = self.endpoint.failure(error)
                wait = _long_wait(error)
                if wait is None or attempt == RETRIES - 1:
                    return failure
                print(f"{failure.reason}; the endpoint asks to wait, for {wait:.0f} s", flush=True)
                await asyncio.sleep(wait)
                continue
            try:
                reply = self.endpoint.read(raw.http_response.text)
            except ValueError:
                reply = None
            if is_completion(reply):
                return reply
            failure = NO_COMPLETION
            if stated := error_in(reply):
                failure = self.endpoint.failure_in(stated)
                if failure.refused:
                    break
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


def _long_wait(error: openai.APIError) -> float | None:
    """Return the seconds of a Retry-After that is too long for the client to follow, if there is one."""
    wait = retry_after(error)
    return min(wait, LONGEST_WAIT) if wait is not None and wait > CLIENTS_WAIT else None
