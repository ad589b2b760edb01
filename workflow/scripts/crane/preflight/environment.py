"""The check of an environment: what its rules import can be imported, in this interpreter."""

import importlib
from collections.abc import Sequence

from crane.preflight.checks import PreflightError


def environment(modules: Sequence[str]) -> str:
    """Import the modules that an environment's rules need, in this interpreter; return their versions.

    Raises:
        PreflightError: some cannot be imported; names them all.
    """
    versions, failed = [], []
    for module in modules:
        try:
            versions.append(f"{module} {getattr(importlib.import_module(module), '__version__', '')}".strip())
        except Exception as error:  # whatever an import says is the report
            failed.append(f"{module} ({type(error).__name__}: {error})")
    if failed:
        raise PreflightError(
            f"cannot import {'; '.join(failed)}; install the environment again (`make install`, and vLLM: `make vllm`)"
        )
    return ", ".join(versions)
