"""What the tests of the workflow share."""

from typing import Any

import pytest
import yaml
from workspace import ROOT


@pytest.fixture(scope="session")
def demo_config() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "config" / "demo.yaml").read_text(encoding="utf-8"))
