"""The batch routes of an OpenAI-compatible endpoint: files, batches, and their parsed and checked replies."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import openai

from crane.judging.endpoint import Endpoint
from crane.judging.interface import JudgeError

COMPLETIONS = "/v1/chat/completions"
"""Route of the requests in a batch."""
MARK = "crane"
"""Key of the metadata that identifies our batches."""


class State(NamedTuple):
    """State of a batch, as the endpoint reports it."""

    status: str
    files: list[str]
    """Files of outputs and errors, if there are any."""
    results: int
    """Requests that it has answered or failed to answer; 0 if it does not report them."""
    errors: str
    """Why the batch failed as a whole."""


class BatchRoutes:
    """Calls the routes. Only the creation of a batch is never repeated here, because it costs money.

    All raise `openai.APIError` as the client does, and `JudgeError` if a reply is malformed.

    Args:
        endpoint: the endpoint.
        client: client with the endpoint's settings.
    """

    def __init__(self, endpoint: Endpoint, client: openai.OpenAI) -> None:
        self._endpoint = endpoint
        self._files = client.files.with_raw_response
        self._batches = client.batches.with_raw_response
        self._once = client.with_options(max_retries=0).batches.with_raw_response

    def upload(self, name: str, text: str) -> str:
        """Upload the requests of a batch; return the file's id at the endpoint."""
        reply = self._endpoint.ask(partial(self._files.create, file=(name, text.encode()), purpose="batch"))
        return self._name(reply, "the upload of a file")

    def create(self, file_id: str, mark: str) -> str | None:
        """Create a batch, in one attempt; return its id, or None if the reply cannot be parsed."""
        made = self._once.create(
            input_file_id=file_id, endpoint=COMPLETIONS, completion_window="24h", metadata={MARK: mark}
        )
        try:
            reply = self._endpoint.read(made.http_response.text)
        except ValueError:
            return None
        name = reply.get("id") if isinstance(reply, dict) else None
        return name if isinstance(name, str) else None

    def find(self, mark: str) -> str | None:
        """Return the id of the batch that carries a mark, or None if the endpoint has none."""
        call: Callable[[], Any] = partial(self._batches.list, limit=100)
        last = None
        while True:
            page = self._endpoint.ask(call)
            batches = page.get("data")
            if not isinstance(batches, list) or not all(isinstance(batch, dict) for batch in batches):
                raise self._unreadable("the list of batches")
            for batch in batches:
                if isinstance(metadata := batch.get("metadata"), dict) and metadata.get(MARK) == mark:
                    return self._name(batch, "the list of batches")
            if not page.get("has_more") or not batches or batches[-1].get("id") == last:
                return None
            last = batches[-1].get("id")
            call = partial(self._batches.list, limit=100, after=last)

    def look(self, batch_id: str) -> State:
        """Return the state of a batch."""
        reply = self._endpoint.ask(partial(self._batches.retrieve, batch_id))
        status = reply.get("status")
        if not isinstance(status, str):
            raise self._unreadable(f"batch {batch_id}")
        files = [reply.get(name) for name in ("output_file_id", "error_file_id")]
        counts = reply.get("request_counts")
        stated = [counts.get(name) for name in ("completed", "failed")] if isinstance(counts, dict) else []
        errors = reply.get("errors")
        told = errors.get("data") if isinstance(errors, dict) else None
        return State(
            status,
            [name for name in files if isinstance(name, str) and name],
            sum(count for count in stated if isinstance(count, int)),
            self._endpoint.one_line("; ".join(map(_message, told if isinstance(told, list) else []))),
        )

    def lines(self, file_id: str) -> tuple[list[dict[str, Any]], bool]:
        """Return the JSON objects of a file's lines, each with its `custom_id`, and whether every line is one."""
        text = self._files.content(file_id).http_response.text
        objects, whole = [], True
        for line in text.split("\n"):  # not splitlines: replies may hold other line separators
            if not line.strip():
                continue
            try:
                value = self._endpoint.read(line)
            except ValueError:
                value = None
            if isinstance(value, dict) and isinstance(value.get("custom_id"), str):
                objects.append(value)
            else:
                whole = False
        return objects, whole

    def _name(self, reply: dict[str, Any], what: str) -> str:
        if not isinstance(reply.get("id"), str):
            raise self._unreadable(what)
        return reply["id"]

    def _unreadable(self, what: str) -> JudgeError:
        return JudgeError(
            f"judge at {self._endpoint.base_url}: the reply about {what} cannot be parsed; does the endpoint support "
            "batches? If not, set kind: openai"
        )


def _message(error: Any) -> str:
    return str(error.get("message")) if isinstance(error, dict) else str(error)
