"""Checks that are made side by side and told in one line each, through a file.

Nothing heavy is imported here: the environment that a check looks at may be broken.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from crane.artefacts import read_json, write_json
from crane.errors import CraneError

AT_ONCE = 16
"""Checks made side by side: with all of a study's on their way at once, a dead network is waited for only once."""


class PreflightError(CraneError, RuntimeError):
    """A check has failed; the message says what to do."""


class Check(NamedTuple):
    """The outcome of one check."""

    name: str
    passed: bool
    text: str
    """What was found or, where it failed, what to do."""


Named = tuple[str, Callable[[], str]]
"""A check that was not made yet: it returns what it found, and raises where it fails; best a `CraneError`."""


def make(checks: Sequence[Named]) -> list[Check]:
    """Make checks side by side; most of them wait for the network."""

    def attempt(named: Named) -> Check:
        name, check = named
        try:
            return Check(name, True, check())
        except CraneError as error:
            return Check(name, False, " ".join(str(error).split()))
        except Exception as error:  # nobody has foreseen it, and the other checks are to be told all the same
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
    """Read a file of `write_checks`."""
    return [Check(**record) for record in read_json(path)]
