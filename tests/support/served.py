"""What the local hub serves, and what it has sent."""

import hashlib
import time
from collections import Counter
from pathlib import Path

from support.hub_server import HubServer

MODEL, DATASET = "maker/tiny", "maker/texts"
NEEDED = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
]


def sha256(path: str | Path) -> str:
    """Return the hash of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def commit(repository: str = MODEL) -> str:
    """Return the commit at which a repository is served."""
    return HubServer.commit(repository)


def settled(server: HubServer) -> Counter[str]:
    """Return what was sent once nothing more is under way to a client that has gone."""
    before = None
    while before != server.sent:
        before = server.sent.copy()
        time.sleep(0.2)
    return before
