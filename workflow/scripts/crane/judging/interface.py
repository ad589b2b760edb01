"""What all judges share: a request, a reply to it, and the interface of what answers requests."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from crane.errors import CraneError


class JudgeError(CraneError, RuntimeError):
    """A judge cannot be asked, or cannot score what it was given."""


class Request(NamedTuple):
    """One question to a judge about one answer."""

    endpoint: str
    """Base address of the server."""
    body: dict[str, Any]
    """Body of a chat completion: model, messages, settings."""
    attempt: int
    """0 for the first time, then counting the re-asks."""

    @property
    def key(self) -> str:
        """SHA-256 (hex) of everything that decides the reply: equal requests have equal keys in all studies."""
        text = json.dumps(self._asdict(), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class Failure(NamedTuple):
    """Why a request has no reply."""

    reason: str
    refused: bool
    """The endpoint refuses this very request, so that asking again is of no use."""


Record = Callable[[Mapping[str, dict[str, Any]]], None]
"""Called with the endpoint's whole replies, by the requests' keys, as soon as they arrive."""


class Backend(Protocol):
    """Sends requests to an endpoint."""

    uses_batches: bool
    """Whether it fetches what was handed in as a batch."""

    def check_model(self, model: str) -> None:
        """Stop before anything is paid if the endpoint cannot serve the model.

        Raises:
            JudgeError: key refused, endpoint out of reach, or model unknown to it.
        """
        ...

    def ask(self, requests: Sequence[Request], record: Record) -> dict[str, Failure]:
        """Send requests, hand every reply to `record`, and return the others' failures by key.

        Raises:
            JudgeError: no request can succeed (key, model, quota).
        """
        ...
