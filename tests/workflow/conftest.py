"""Studies that are run once for all workers of pytest-xdist; each worker has its own copy of them."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from filelock import FileLock
from support.reduced_study import reduced
from support.workspace import Workspace

Finish = Callable[[Workspace], Any]
Finished = Callable[[str, dict[str, Any], Finish], Workspace]


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Return a function: a name, a configuration and what finishes the study -> a copy of the finished study."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def finished(name: str, config: dict[str, Any], finish: Finish) -> Workspace:
        folder, mark = shared / name, shared / f"{name}.finished"
        with FileLock(shared / f"{name}.lock"):
            folder.mkdir(exist_ok=True)
            workspace = Workspace(folder, config)
            if not mark.exists():
                finish(workspace)
                mark.touch()
        return workspace.copy_to(tmp_path_factory.mktemp(name))

    return finished


@pytest.fixture(scope="module")
def study(finished_study: Finished, demo_config: dict[str, Any]) -> Workspace:
    """Return a copy of the reduced demo study, run to its end."""
    return finished_study("reduced", reduced(demo_config), Workspace.run)
