"""The demo with every optional section."""

from typing import Any

import pytest
from support.study_config import whole_demo


@pytest.fixture
def config() -> dict[str, Any]:
    """Return the demo's configuration with its sweeps and with models that it trains; a test may change it."""
    return whole_demo()
