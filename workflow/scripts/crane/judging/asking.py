"""Asks a judge about all answers of a job: what the store knows is taken from there, the rest is asked once."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from crane.judging.interface import Backend, Failure, JudgeError, Request
from crane.judging.prompts import judge_request
from crane.judging.store import JudgementStore
from crane.judging.verdicts import read_reply

TOLERATED = 0.02
"""Share of a job's answers that may get no reply, beside one; more means that the endpoint is ill, not the answers."""
PAUSE = 0.5
"""Seconds between two looks at what another job asks."""
_USAGE = ("prompt_tokens", "completion_tokens")


def ask_about(
    records: Sequence[Mapping[str, Any]],
    languages: Mapping[str, str],
    settings: Mapping[str, Any],
    store: JudgementStore,
    backend: Callable[[], Backend],
) -> list[list[dict[str, Any]]]:
    """Return the replies about every answer, in the order in which they were asked for.

    Equal answers to equal questions are asked about once, whatever the mask or the study. An answer is asked about
    again while no verdict can be read from its last reply, `attempts` times at most. The parser thus decides here
    how often is asked, but nothing of what is stored: with another parser, the stored replies are read anew by the
    next rule and nobody is asked. That is why the rule's `params` leave the parser's code out.

    Args:
        records: question, output, language.
        languages: code -> English name.
        settings: as `crane.study.judges.request` returns them.
        store: where all replies are kept.
        backend: makes what sends requests; called only if something is to be sent, so that a study whose replies
            are all stored needs neither key nor network.

    Returns:
        Per record its replies: attempt, key, text, refusal, finish_reason, model, usage; or attempt, key, error.

    Raises:
        JudgeError: see `Backend`; or more answers than `TOLERATED` get no reply, or none gets one. What was replied
            is stored then, and the next run asks for the rest.
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
                replies[i].append({"attempt": attempt, "key": key, **_kept(known[key])})
                if read_reply(replies[i][-1], settings, records[i]["output"]).score is None:
                    still.append(i)
            else:
                replies[i].append({"attempt": attempt, "key": key, "error": failures[key].reason})
        open_ones = still
    return replies


class _Asker:
    """Fetches requests: from the store, by asking, or by waiting for another job that asks."""

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
        """Return replies and failures by key; together they have every request."""
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
        """Stop rather than pay again for what an unfetched batch holds."""
        handed_in = [] if backend.uses_batches else self._store.open_batches(r.key for r in requests)
        if handed_in:
            self._store.release(request.key for request in requests)
            raise JudgeError(
                f"batch {handed_in[0].batch_id or handed_in[0].uid} holds some of these answers already; set kind: "
                "openai_batch again until it is fetched"
            )

    def _twice(self, backend: Backend, requests: Sequence[Request]) -> dict[str, Failure]:
        """Ask, and ask once more for what failed for no reason of its own: the endpoint may be back.

        Batches count their rounds themselves.
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
    """Tells an ill endpoint, or settings that it refuses, from single answers that get no reply.

    All is measured against the answers of the whole job, whenever they got their replies: in a later run, and among
    the re-asks, the few requests that are left may well be those that always fail.
    """

    def __init__(self) -> None:
        self._answers = 0
        self._replied = False
        self._lost = 0

    def check(self, known: Mapping[str, Any], failures: Mapping[str, Failure]) -> None:
        """Count what a round of requests came to; the first round has every distinct answer of the job.

        Raises:
            JudgeError: too many answers got no reply.
        """
        self._answers = self._answers or len(known) + len(failures)
        self._replied |= bool(known)
        lost = [failure for failure in failures.values() if not failure.refused]
        self._lost += len(lost)
        if lost and (self._lost > max(1, TOLERATED * self._answers) or not self._replied):
            raise JudgeError(
                f"{self._lost} of {self._answers} requests got no reply (the last: {lost[-1].reason}); what was "
                "answered is stored, run again to ask for the rest"
            )
        if len(failures) > 1 and not self._replied:
            reason = next(iter(failures.values())).reason
            raise JudgeError(
                f"the endpoint refuses all {len(failures)} requests ({reason}); look at the judge's settings"
            )


def _kept(reply: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a response file keeps of a chat completion; what has another form than it should counts as absent."""
    choice = reply["choices"][0]
    message = choice["message"]
    usage = reply.get("usage")
    used = {name: usage.get(name) if isinstance(usage, dict) else None for name in _USAGE}
    return {
        "text": _text(message.get("content")),
        "refusal": _text(message.get("refusal")),
        "finish_reason": _text(choice.get("finish_reason")),
        "model": _text(reply.get("model")),
        "usage": {name: count if isinstance(count, int) else None for name, count in used.items()},
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def responses(
    records: Sequence[Mapping[str, Any]], replies: Sequence[list[dict[str, Any]]], judge: str
) -> Iterator[dict[str, Any]]:
    """Yield the records of a response file: an answer, its judge, and all that the judge replied."""
    for record, replied in zip(records, replies, strict=True):
        yield {**record, "judge": judge, "replies": replied}
