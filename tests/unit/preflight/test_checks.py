"""Checks are made one by one, printed, and kept in a file."""

import subprocess
from pathlib import Path

from crane.preflight.checks import Check, make, read_checks, render, write_checks


def test_whatever_a_check_raises_is_its_line_and_the_others_are_told() -> None:
    def unforeseen() -> str:
        raise subprocess.TimeoutExpired("sinfo", 30)

    def damaged() -> str:
        raise OSError("not a\n  valid file")

    checks = make([("one", unforeseen), ("two", damaged), ("three", lambda: "fine")])
    assert checks == [
        Check("one", False, "TimeoutExpired: Command 'sinfo' timed out after 30 seconds"),
        Check("two", False, "OSError: not a valid file"),
        Check("three", True, "fine"),
    ]


def test_checks_survive_the_way_through_a_file(tmp_path: Path) -> None:
    checks = [Check("one", True, "fine"), Check("two", False, "do this")]
    write_checks(checks, tmp_path / "checks.json")
    assert read_checks(tmp_path / "checks.json") == checks
    assert render(checks) == "ok    one: fine\nFAIL  two: do this"
