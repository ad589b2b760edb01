"""An OpenAI-compatible endpoint: its key, its errors in one line each, and whether it serves a model."""

import email.utils
import json
import math
import os
import re
import time
from collections.abc import Callable
from typing import Any

import openai

from crane.judging.completions import ServerError, described, error_in
from crane.judging.interface import Failure, JudgeError

NO_ROUTE = (404, 405, 501)
UNKNOWN_MODEL = (400, 404, 405, 422, 501)
"""Statuses of endpoints that do not serve a model, or have no route for models."""
TRANSIENT = (408, 409, 425, 429)
RETRIES = 6
"""Retries of the client, with growing pauses (0.5 to 8 s) or those of Retry-After."""
SHORTEST_KEY = 8
"""Characters; a shorter value (`none`, `EMPTY`, for servers that accept any key) is no secret and occurs in words."""
_ENDS_JOB = (401, 402, 403, 404)
"""Statuses that every other request would get as well."""
_KEY_SHAPE = re.compile(r"\bsk-[A-Za-z0-9_*-]{3,}")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def read_key(variable: str) -> str:
    """Return the key in an environment variable, or a placeholder if no variable is named.

    Raises:
        JudgeError: the variable is not set, or its value cannot be a key; the message does not show it.
    """
    if not variable:
        return "none"
    key = os.environ.get(variable, "").strip()
    if not key:
        raise JudgeError(
            f"the environment variable {variable} is not set: put the judge's key there, or set key_variable: null"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise JudgeError(f"the value of the environment variable {variable} cannot be a key")
    return key


class Endpoint:
    """Sends requests to one address and cleans its replies and errors; the key leaves only in the request's header.

    Args:
        base_url: address, including /v1.
        key_variable: name of the environment variable that holds the key; "" for none.
        timeout: seconds until a request counts as lost.
    """

    def __init__(self, base_url: str, key_variable: str, timeout: float) -> None:
        self.base_url = base_url
        self._key = read_key(key_variable)
        self.settings: dict[str, Any] = {
            "base_url": base_url, "api_key": self._key, "timeout": timeout, "max_retries": RETRIES,
        }  # fmt: skip

    def client(self) -> openai.OpenAI:
        """Return a client with the endpoint's settings; close it after use."""
        hooks = {"response": [_read_quota]}
        return openai.OpenAI(**self.settings, http_client=openai.DefaultHttpxClient(event_hooks=hooks))

    def async_client(self) -> openai.AsyncOpenAI:
        """Return an asynchronous client with the endpoint's settings; close it after use."""
        hooks = {"response": [_read_quota_async]}
        return openai.AsyncOpenAI(
            **self.settings, http_client=openai.DefaultAsyncHttpxClient(event_hooks=hooks)
        )

    def hidden(self, text: str) -> str:
        """Return a text without the key: servers repeat it in errors and might repeat it in replies."""
        return text.replace(self._key, "[key]") if len(self._key) >= SHORTEST_KEY else text

    def read(self, text: str) -> Any:
        """Return the value of a reply's JSON, without the key and without lone surrogates.

        The key is replaced in the decoded strings: JSON can encode each of its characters in two ways.

        Raises:
            ValueError: the text is not JSON.
        """
        try:
            return self._clean(json.loads(text))
        except RecursionError:
            raise ValueError("nested too deeply") from None

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return _LONE_SURROGATE.sub("\ufffd", self.hidden(value))
        if isinstance(value, list):
            return [self._clean(item) for item in value]
        if isinstance(value, dict):
            return {self._clean(name): self._clean(item) for name, item in value.items()}
        return value

    def ask(self, call: Callable[[], Any], shape: type = dict) -> Any:
        """Return a route's JSON reply; a request with any other reply (a web page, a truncated reply) is repeated.

        Args:
            call: sends one request by the client's `with_raw_response`.
            shape: of the value.

        Raises:
            openai.APIError: as the client raises it.
            JudgeError: no reply was JSON of this shape, or an error with status 200 that would come again.
        """
        told = "does not reply with the expected JSON"
        for attempt in range(self.settings["max_retries"] + 1):
            if attempt:
                time.sleep(min(0.25 * 2**attempt, 8.0))
            reply = call().http_response
            try:
                value = self.read(reply.text)
            except ValueError:
                continue
            if shape is dict and (error := error_in(value)):
                failure = self.failure_in(error)
                told = f"replies with {failure.reason}"
                if failure.refused:
                    break
            elif isinstance(value, shape):
                return value
        raise JudgeError(
            f"judge at {self.base_url}: {reply.request.url.path} {told}; "
            "check base_url, or run again if the endpoint is failing"
        )

    def check_model(self, model: str) -> None:
        """See `crane.judging.interface.Backend`; an endpoint without a list of models passes."""
        with self.client() as client:
            try:
                served = _names(self.ask(client.models.with_raw_response.list, object))
            except openai.APIError as error:
                status = _status(error)
                if status in NO_ROUTE or status == 403:  # a key may be restricted to completions
                    return
                raise self.stop(error) from None
            if served is None or model in served:
                return
            try:
                client.models.with_raw_response.retrieve(model)  # some lists omit models that are served
            except openai.APIError as error:
                if _status(error) not in UNKNOWN_MODEL:
                    raise self.stop(error) from None
                shown = ", ".join(served[:10]) + (", ..." if len(served) > 10 else "")
                raise JudgeError(
                    f"{self.base_url} does not serve the model {model!r}; it serves: {shown or 'none'}"
                ) from None

    def failure(self, error: openai.APIError) -> Failure:
        """Return why one request got no reply.

        Raises:
            JudgeError: every other request would fail as well.
        """
        if _ends_job(described(error.body)._replace(status=_status(error))):
            raise self.stop(error) from None
        return Failure(self.told(error), hopeless(error))

    def failure_in(self, error: ServerError) -> Failure:
        """Return why a request whose reply states an error got no completion.

        Raises:
            JudgeError: every other request would fail as well.
        """
        told = self.one_line(
            f"error {error.status or error.code}".strip() + f": {error.message or 'no reason given'}"
        )
        if _ends_job(error):
            raise self._stop(told, error.status, error.out_of_quota)
        return Failure(told, _refusal(error.status))

    def told(self, error: openai.APIError) -> str:
        """Return an error as one line: its kind, status and the server's message, without the key."""
        if isinstance(error, openai.APITimeoutError):
            return f"no reply within {self.settings['timeout']} s"
        if isinstance(error, openai.APIConnectionError):
            return f"no connection ({type(error.__cause__).__name__})"
        status = f"HTTP {error.status_code}: " if isinstance(error, openai.APIStatusError) else ""
        return self.one_line(f"{status}{described(error.body).message or error.message}")

    def one_line(self, text: str) -> str:
        """Return a server's message as one short line, without the key or anything of a key's form."""
        hidden = _KEY_SHAPE.sub("[key]", self.hidden(_LONE_SURROGATE.sub("\ufffd", text)))
        return " ".join(hidden.split())[:300]

    def stop(self, error: openai.APIError) -> JudgeError:
        """Return the error that ends the job."""
        return self._stop(self.told(error), _status(error), _without_quota(error))

    def _stop(self, told: str, status: int | None, out_of_quota: bool) -> JudgeError:
        advice = {
            401: "check the key", 403: "the key may not use this model", 404: "check base_url and model",
        }.get(status or 0, "is the endpoint up? The replies received are stored")  # fmt: skip
        if out_of_quota or status == 402:
            advice = "the replies received are stored; run again when there is quota"
        return JudgeError(f"judge at {self.base_url}: {told}; {advice}")


def refuses(error: openai.APIError) -> bool:
    """Return whether the server answered that it did not carry out the request; other errors leave that open."""
    status = _status(error)
    return status is not None and 400 <= status < 500 and status not in (408, 409)


def hopeless(error: openai.APIError) -> bool:
    """Return whether the same request would be refused again at any later time."""
    return _without_quota(error) or _refusal(_status(error))


def _ends_job(error: ServerError) -> bool:
    return error.out_of_quota or (error.status in _ENDS_JOB and not error.moderated)


def _refusal(status: int | None) -> bool:
    return status is not None and 400 <= status < 500 and status not in TRANSIENT


def retry_after(error: openai.APIError) -> float | None:
    """Return the seconds that the server asks to wait before a retry, if it asks for any."""
    status = _status(error)
    if status is None or not (status in TRANSIENT or status >= 500):
        return None
    headers = error.response.headers
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers.get(name, "nan")) / unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    try:
        date = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
        return max(date.timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None


def _status(error: openai.APIError) -> int | None:
    return error.status_code if isinstance(error, openai.APIStatusError) else None


def _without_quota(error: openai.APIError) -> bool:
    return described(error.body).out_of_quota


def _names(listed: Any) -> list[str] | None:
    """Return the models of a list, or None if its format is unknown."""
    entries = listed.get("data") if isinstance(listed, dict) else listed
    if not isinstance(entries, list):
        return None
    return [entry["id"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)]


def _read_quota(response: Any) -> None:
    if response.status_code == 429:
        response.read()
        _end_without_quota(response)


async def _read_quota_async(response: Any) -> None:
    if response.status_code == 429:
        await response.aread()
        _end_without_quota(response)


def _end_without_quota(response: Any) -> None:
    """Keep the client from repeating a request for which there is no quota; it obeys this header of a server."""
    try:
        error = described(json.loads(response.text))
    except (ValueError, RecursionError):
        return
    if error.out_of_quota:
        response.headers["x-should-retry"] = "false"
