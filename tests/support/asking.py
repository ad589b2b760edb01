"""A job that asks a judge over HTTP, its answers and settings."""

from typing import Any

from crane.judging.asking import ask_about
from crane.judging.batch import BatchJudge
from crane.judging.endpoint import Endpoint
from crane.judging.online import OnlineJudge
from crane.judging.verdicts import read_replies

from support.judge_server import Server

KEY = "test-key"


def records(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Return answers to be judged, told apart by their numbers."""
    return [
        {"question": f"Question {n}?", "output": f"Answer {n}.", "language": "en"}
        for n in range(first, first + count)
    ]


def settings(server: Server, kind: str = "openai", **more: Any) -> dict[str, Any]:
    """Return the settings of a judge whose endpoint is the server."""
    return {
        "kind": kind, "base_url": server.base_url, "model": "judge-1", "prompt": "crane", "output": "json_schema",
        "max_tokens": 100, "attempts": 3, "seed": 0, "temperature": 0, **more,
    }  # fmt: skip


def ask(server, store, answers, *, concurrency=16, timeout=2, pause=0.01, key="JUDGE_KEY", **more):
    """Return verdicts and replies of a job."""
    chosen = settings(server, **more)

    def backend():
        endpoint = Endpoint(chosen["base_url"], key, timeout)
        if chosen["kind"] == "openai":
            return OnlineJudge(endpoint, concurrency)
        return BatchJudge(endpoint, store, pause)

    replies = ask_about(answers, {"en": "English"}, chosen, store, backend)
    verdicts = [
        read_replies(own, chosen, answer["output"]) for own, answer in zip(replies, answers, strict=True)
    ]
    return verdicts, replies
