"""Checks that run concurrently and report one line each, through a file.

Nothing heavy is imported here, because the environment under test may be broken.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from crane.artefacts import read_json, write_json
from crane.errors import CraneError

AT_ONCE = 16
"""Maximum number of concurrent checks: enough that all of a study's checks wait for a dead network together."""


class PreflightError(CraneError, RuntimeError):
    """A check failed; the message says how to fix it."""


class Check(NamedTuple):
    """The outcome of one check."""

    name: str
    passed: bool
    text: str
    """What was found or, if the check failed, how to fix it."""


Named = tuple[str, Callable[[], str]]
"""Name and function of a check; the function returns what it found and raises an error, ideally a `CraneError`."""


def make(checks: Sequence[Named]) -> list[Check]:
    """Run checks concurrently; most of them wait for the network."""

    def attempt(named: Named) -> Check:
        name, check = named
        try:
            return Check(name, True, check())
        except CraneError as error:
            return Check(name, False, " ".join(str(error).split()))
        except Exception as error:  # an unforeseen error must not hide the results of the other checks
            return Check(name, False, " ".join(f"{type(error).__name__}: {error}".split()))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(attempt, checks))


def render(checks: Sequence[Check]) -> str:
    """Return one line per check."""
    return "\n".join(f"{'ok  ' if check.passed else 'FAIL'}  {check.name}: {check.text}" for check in checks)


def write_checks(checks: Sequence[Check], path: str | Path) -> None:
    """Print the checks and write them for `read_checks`."""
    print(render(checks))
    write_json([check._asdict() for check in checks], path)


def read_checks(path: str | Path) -> list[Check]:
    """Read a file written by `write_checks`."""
    return [Check(**record) for record in read_json(path)]
