"""What the tests of judging share."""

import pytest
from crane.judging.store import JudgementStore
from support.asking import KEY
from support.pauses import shorten


@pytest.fixture
def judge_key(monkeypatch):
    """Set the key that the local endpoint expects."""
    monkeypatch.setenv("JUDGE_KEY", KEY)


@pytest.fixture
def short_pauses(monkeypatch):
    """Let the client, the batches and the endpoint try again soon."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.02)
    shorten(monkeypatch, "crane.judging.batch", "crane.judging.endpoint")


@pytest.fixture
def store(tmp_path):
    """Yield an open judgement store, still empty."""
    with JudgementStore(tmp_path / "judgements.sqlite") as opened:
        yield opened
