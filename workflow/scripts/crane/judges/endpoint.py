"""An OpenAI-compatible endpoint: its key, its errors in one line each, and whether it knows a model."""

import os
from typing import Any

import openai

from crane.judges.interface import Failure, JudgeError

NO_ROUTE = (404, 405, 501)
TRANSIENT = (408, 409, 425, 429)
RETRIES = 6
"""By the client, with growing pauses (0.5 to 8 s) or those that Retry-After asks for."""


def read_key(variable: str) -> str:
    """Return the key that an environment variable holds; a stand-in where no variable is named.

    Raises:
        JudgeError: the variable is not set, or holds what cannot be a key. The message does not show it.
    """
    if not variable:
        return "none"
    key = os.environ.get(variable, "").strip()
    if not key:
        raise JudgeError(
            f"the environment variable {variable} is not set: put the judge's key there, or set key_variable: null"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise JudgeError(f"the environment variable {variable} holds what cannot be a key")
    return key


class Endpoint:
    """Where requests go, and how its errors are told; the key leaves it in the request's header only.

    Args:
        base_url: address up to and with /v1.
        key_variable: name of the environment variable that holds the key; "" for none.
        timeout: seconds until a request counts as lost.
    """

    def __init__(self, base_url: str, key_variable: str, timeout: float) -> None:
        self.base_url = base_url
        self._key = read_key(key_variable)
        self.settings: dict[str, Any] = {
            "base_url": base_url, "api_key": self._key, "timeout": timeout, "max_retries": RETRIES,
        }  # fmt: skip

    def hidden(self, text: str) -> str:
        """Return a text without the key: servers repeat it in errors, and might in replies."""
        return text.replace(self._key, "[key]") if self._key != "none" else text

    def check_model(self, model: str) -> None:
        """See `crane.judges.interface.Backend`; an endpoint without a list of models passes."""
        with openai.OpenAI(**self.settings) as client:
            try:
                served = [entry.id for entry in client.models.list()]
            except openai.APIStatusError as error:
                if error.status_code in NO_ROUTE:
                    return
                raise self.stop(error) from None
            except openai.APIConnectionError as error:
                raise self.stop(error) from None
            if model in served:
                return
            try:
                client.models.retrieve(model)  # some lists leave out what is served
            except openai.APIError:
                shown = ", ".join(served[:10]) + (", ..." if len(served) > 10 else "")
                raise JudgeError(
                    f"{self.base_url} does not know the model {model!r}; it has: {self.hidden(shown) or 'none'}"
                ) from None

    def failure(self, error: openai.APIError) -> Failure:
        """Return why one request got no reply.

        Raises:
            JudgeError: no other request would fare better.
        """
        status = error.status_code if isinstance(error, openai.APIStatusError) else None
        if status in (401, 403, 404) or error.code == "insufficient_quota":
            raise self.stop(error) from None
        refused = status is not None and 400 <= status < 500 and status not in TRANSIENT
        return Failure(self.told(error), refused)

    def told(self, error: openai.APIError) -> str:
        """Return an error as one line: its kind, status and the server's message, without the key."""
        if isinstance(error, openai.APITimeoutError):
            return f"no reply within {self.settings['timeout']} s"
        if isinstance(error, openai.APIConnectionError):
            return f"no connection ({type(error.__cause__).__name__})"
        status = f"HTTP {error.status_code}: " if isinstance(error, openai.APIStatusError) else ""
        told = error.body.get("message") if isinstance(error.body, dict) else None
        return self.hidden(" ".join(f"{status}{told or error.message}".split())[:300])

    def stop(self, error: openai.APIError) -> JudgeError:
        """Return the error that ends the job."""
        status = error.status_code if isinstance(error, openai.APIStatusError) else None
        advice = {
            401: "look at the key", 403: "the key may not use this model", 404: "look at base_url and model",
        }.get(status or 0, "is the endpoint up? What was answered is stored")  # fmt: skip
        return JudgeError(f"judge at {self.base_url}: {self.told(error)}; {advice}")
