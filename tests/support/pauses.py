"""Shorter pauses between attempts: tests wait for what is done, not for what is waited for."""

import time
from types import ModuleType

import pytest


def shorten(patch: pytest.MonkeyPatch, *modules: str, by: float = 20) -> None:
    """Let `time.sleep` take a part of its time in some modules that `import time`; all else of it stays."""
    quick = ModuleType("time")
    vars(quick).update(vars(time), sleep=lambda seconds: time.sleep(seconds / by))
    for module in modules:
        patch.setattr(f"{module}.time", quick)
