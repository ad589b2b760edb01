"""The check of an environment: this interpreter can import the packages that its rules need."""

import importlib
from collections.abc import Sequence

from crane.preflight.checks import PreflightError


def environment(modules: Sequence[str]) -> str:
    """Import the modules that an environment's rules need, in this interpreter; return their versions.

    Raises:
        PreflightError: some cannot be imported; the message names all of them.
    """
    versions, failed = [], []
    for module in modules:
        try:
            versions.append(f"{module} {getattr(importlib.import_module(module), '__version__', '')}".strip())
        except Exception as error:  # an import may raise anything
            failed.append(f"{module} ({type(error).__name__}: {error})")
    if failed:
        raise PreflightError(
            f"cannot import {'; '.join(failed)}; install the environment again (`make install`, and vLLM: `make vllm`)"
        )
    return ", ".join(versions)
