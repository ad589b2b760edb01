"""Ask a judge about all answers of a job: known replies come from the store, the rest are requested once."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from crane.judging.completions import kept, refused
from crane.judging.interface import Backend, Failure, JudgeError, Request
from crane.judging.prompts import judge_request
from crane.judging.store import JudgementStore
from crane.judging.verdicts import read_reply

TOLERATED = 0.02
"""Share of a job's answers, but at least one, that may get no reply; beyond it the endpoint is at fault."""
PAUSE = 0.5
"""Seconds between two polls for the replies to another job's requests."""


def ask_about(
    records: Sequence[Mapping[str, Any]],
    languages: Mapping[str, str],
    settings: Mapping[str, Any],
    store: JudgementStore,
    backend: Callable[[], Backend],
) -> list[list[dict[str, Any]]]:
    """Return the replies about every answer, in the order of the requests.

    Equal answers to equal questions are judged once, across masks and studies. If no verdict can be parsed from the
    last reply, and it is not a refusal, the judge is asked again, up to `attempts` times. The parser thus determines
    how many requests are sent, but not what is stored: with a new parser, the next rule parses the stored replies and
    sends no request. That is why the rule's `params` do not include the parser's code.

    Args:
        records: question, output, language.
        languages: code -> English name.
        settings: as returned by `crane.study.judges.request`.
        store: the store of all replies.
        backend: returns the sender of requests; called only if a request is to be sent, so that a study whose replies
            are all stored needs neither key nor network.

    Returns:
        The replies of each record: attempt, key, and the fields that `crane.judging.completions.kept` returns; or
        attempt, key, error.

    Raises:
        JudgeError: see `Backend`; or more answers than `TOLERATED` get no reply, or none gets one. The replies so far
            are stored, and the next run requests the rest.
    """
    replies: list[list[dict[str, Any]]] = [[] for _ in records]
    asker = _Asker(store, backend, settings["model"])
    open_ones = list(range(len(records)))
    for attempt in range(settings["attempts"]):
        requests = {
            i: judge_request(records[i], languages[records[i]["language"]], settings, attempt)
            for i in open_ones
        }
        distinct = {request.key: request for request in requests.values()}
        if not distinct:
            break
        known, failures = asker.fetch(distinct)
        still = []
        for i, request in requests.items():
            key = request.key
            if key in known:
                reply = {"attempt": attempt, "key": key, **kept(known[key])}
                replies[i].append(reply)
                if not refused(reply) and read_reply(reply, settings, records[i]["output"]).score is None:
                    still.append(i)
            else:
                replies[i].append({"attempt": attempt, "key": key, "error": failures[key].reason})
        open_ones = still
    return replies


class _Asker:
    """Obtains replies: from the store, by sending requests, or by waiting for another job that sends them."""

    def __init__(self, store: JudgementStore, backend: Callable[[], Backend], model: str) -> None:
        self._store = store
        self._make = backend
        self._model = model
        self._backend: Backend | None = None
        self._health = _Health()

    def _ready(self) -> Backend:
        if self._backend is None:
            self._backend = self._make()
            self._backend.check_model(self._model)
        return self._backend

    def fetch(self, requests: Mapping[str, Request]) -> tuple[dict[str, dict[str, Any]], dict[str, Failure]]:
        """Return replies and failures by key; together they cover every request."""
        known = self._store.replies(requests)
        stored, asked, waited = len(known), 0, False
        failures: dict[str, Failure] = {}
        while missing := [r for key, r in requests.items() if key not in known and key not in failures]:
            backend = self._ready()
            mine = self._store.claim(missing)
            if mine:
                self._refuse_handed_in(backend, mine)
                asked += len(mine)
                try:
                    failures |= self._twice(backend, mine)
                finally:
                    self._store.release(request.key for request in mine)
            else:
                if not waited:
                    print(f"{len(missing)} requests are with other jobs, waiting for them", flush=True)
                waited = True
                time.sleep(PAUSE)
            known |= self._store.replies(request.key for request in missing)
        print(
            f"{len(requests)} requests: {stored} known, {asked} sent, {len(failures)} without a reply",
            flush=True,
        )
        self._health.check(known, failures)
        return known, failures

    def _refuse_handed_in(self, backend: Backend, requests: Sequence[Request]) -> None:
        """Stop rather than pay again for requests in a batch that has not been fetched."""
        handed_in = [] if backend.uses_batches else self._store.open_batches(r.key for r in requests)
        if handed_in:
            self._store.release(request.key for request in requests)
            raise JudgeError(
                f"batch {handed_in[0].batch_id or handed_in[0].uid} already holds some of these requests; set kind: "
                "openai_batch again until it is fetched"
            )

    def _twice(self, backend: Backend, requests: Sequence[Request]) -> dict[str, Failure]:
        """Send requests, and once more those that the endpoint did not refuse: it may have recovered.

        Batches count their own rounds.
        """
        failures = backend.ask(requests, self._store.record)
        if backend.uses_batches:
            return failures
        again = [r for r in requests if r.key in failures and not failures[r.key].refused]
        if again and len(again) < len(requests):
            for request in again:
                del failures[request.key]
            failures |= backend.ask(again, self._store.record)
        return failures


class _Health:
    """Distinguishes a failing endpoint, or settings that it refuses, from single answers without a reply.

    Failures are counted against all answers of the job, whenever they were answered: in a later run, and among
    repeated requests, the few that are left may be those that always fail.
    """

    def __init__(self) -> None:
        self._answers = 0
        self._replied = False
        self._lost = 0

    def check(self, known: Mapping[str, Any], failures: Mapping[str, Failure]) -> None:
        """Count the outcome of a round of requests; the first round has every distinct answer of the job.

        Raises:
            JudgeError: too many answers got no reply.
        """
        self._answers = self._answers or len(known) + len(failures)
        self._replied |= bool(known)
        lost = [failure for failure in failures.values() if not failure.refused]
        self._lost += len(lost)
        if lost and (self._lost > max(1, TOLERATED * self._answers) or not self._replied):
            raise JudgeError(
                f"{self._lost} of {self._answers} requests got no reply (the last: {lost[-1].reason}); the replies "
                "received are stored, run again to request the rest"
            )
        if len(failures) > 1 and not self._replied:
            reason = next(iter(failures.values())).reason
            raise JudgeError(
                f"the endpoint refuses all {len(failures)} requests ({reason}); {_advice(reason)}"
            )


def _advice(reason: str) -> str:
    """Return which setting to change if an endpoint refuses every request."""
    if "max_completion_tokens" in reason:
        return "set the judge's dialect: {max_tokens: max_tokens}"
    if re.search("system|developer", reason, re.IGNORECASE):
        return "if it knows no system role, set the judge's dialect: {system: false}"
    return "check the judge's settings"


def responses(
    records: Sequence[Mapping[str, Any]], replies: Sequence[list[dict[str, Any]]], judge: str
) -> Iterator[dict[str, Any]]:
    """Yield the records of a response file: an answer, its judge, and all replies."""
    for record, replied in zip(records, replies, strict=True):
        yield {**record, "judge": judge, "replies": replied}
