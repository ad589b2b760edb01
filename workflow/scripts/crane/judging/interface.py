"""What all judges share: a request, its failure, and the interface of a backend that sends requests."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from crane.errors import CraneError


class JudgeError(CraneError, RuntimeError):
    """A judge cannot be reached, or cannot score an answer."""


class Request(NamedTuple):
    """One question to a judge about one answer."""

    endpoint: str
    """Base address of the server."""
    body: dict[str, Any]
    """Body of a chat completion: model, messages, settings."""
    attempt: int
    """0 for the first request, then the number of the repetition."""

    @property
    def key(self) -> str:
        """SHA-256 (hex) of everything that determines the reply: equal requests have equal keys in all studies."""
        text = json.dumps(self._asdict(), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class Failure(NamedTuple):
    """Why a request has no reply."""

    reason: str
    refused: bool
    """The endpoint refuses this request, so that repeating it is pointless."""


Record = Callable[[Mapping[str, dict[str, Any]]], None]
"""Called with the endpoint's complete replies, by key of the request, as soon as they arrive."""


class Backend(Protocol):
    """Sends requests to an endpoint."""

    uses_batches: bool
    """Whether it submits and fetches batches."""

    def check_model(self, model: str) -> None:
        """Stop before anything is paid if the endpoint cannot serve the model.

        Raises:
            JudgeError: the key is refused, the endpoint cannot be reached, or it does not serve the model.
        """
        ...

    def ask(self, requests: Sequence[Request], record: Record) -> dict[str, Failure]:
        """Send requests, pass every reply to `record`, and return the failures of the others by key.

        Raises:
            JudgeError: no request can succeed (key, model, quota).
        """
        ...
