"""Modules that a stage needs can be imported."""

import pytest
from crane.preflight.checks import PreflightError
from crane.preflight.environment import environment


def test_modules_that_cannot_be_imported_are_named() -> None:
    assert environment(["torch", "numpy"]).startswith("torch ")
    with pytest.raises(PreflightError, match=r"cannot import no_such_module"):
        environment(["numpy", "no_such_module"])
