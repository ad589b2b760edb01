"""What the tests of judging share."""

import pytest
from crane.judging.store import JudgementStore
from support.asking import KEY


@pytest.fixture
def judge_key(monkeypatch):
    """Set the key that the local endpoint expects."""
    monkeypatch.setenv("JUDGE_KEY", KEY)


@pytest.fixture
def store(tmp_path):
    """Yield an open judgement store, still empty."""
    with JudgementStore(tmp_path / "judgements.sqlite") as opened:
        yield opened
