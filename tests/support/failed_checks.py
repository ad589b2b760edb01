"""What the checks before a study find wrong with it."""

from collections.abc import Callable
from typing import Any

from crane.preflight.checks import make
from crane.study.study import Study


def failures(checks: Callable[[Study], Any], config: dict[str, Any]) -> dict[str, str]:
    """Return name -> text of the checks of a study that do not pass."""
    return {check.name: check.text for check in make(checks(Study(config))) if not check.passed}
