"""How the local endpoint for judges behaves: its options, and which request meets which fault."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

BEFORE = ("429", "429 with Retry-After", "500", "503", "408", "drop", "silence", "cut JSON", "web page")
"""Faults before an answer: the same request is answered when it is sent again."""
ANSWERS = ("empty", "refusal", "no verdict")
"""Answers that hold no verdict: the re-ask is answered with one, but for `stubborn` questions."""


@dataclass
class Options:
    """How the server behaves."""

    faults: float = 0.0
    """Share of the requests that meet a fault."""
    kinds: list[str] = field(default_factory=lambda: [*BEFORE, *ANSWERS])
    stubborn: float = 0.0
    """Share of the questions about which no reply holds a verdict."""
    delay: float = 0.0
    """Seconds that an answer takes."""
    models: list[str] | None = field(default_factory=lambda: ["judge-1"])
    """None: there is no such route."""
    key: str = "test-key"
    loose_tongue: bool = False
    """Repeat the caller's key in every error and in every reply, there in JSON's other way to write it."""
    polls: int = 2
    """Looks at a batch until it has ended."""
    batch_faults: list[str] = field(default_factory=list)
    """Of the first, second, ... batch: expired, missing ids, errors, no credit, failed, cancelled, cut line, lost
    lines."""
    always: int = 0
    """HTTP status of every completion, if not 0."""
    never: dict[str, float] = field(default_factory=dict)
    """Fault -> share of the questions that always meet it."""
    retry_after: str = "1"
    """The header of that name; seconds, or `date+` and seconds."""
    odd: bool = False
    """Replies hold half a character and have usage and refusal in forms of their own."""
    body: Any = None
    """The body of every completion, if given."""
    old: bool = False
    """Know neither max_completion_tokens nor the system role."""
    routes: dict[str, list[str]] = field(default_factory=dict)
    """Route -> faults of its first, second, ... call; after `done, then` the call has its effect all the same."""


def digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def share(key: str, salt: str) -> float:
    return int(hashlib.sha256(f"{salt}{key}".encode()).hexdigest()[:8], 16) / 16**8


def about(body: dict[str, Any]) -> str:
    """Return question and answer: what stays the same in a re-ask."""
    text = body["messages"][-1]["content"]
    return text[text.index("<question>") : text.index("</answer>")]


def score_of(body: dict[str, Any]) -> int:
    return 1 + int(share(about(body), "score") * 10)
