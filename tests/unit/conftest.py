"""A local server in the place of the hub, and a short index of lm-eval's tasks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from support.hub_server import HubServer
from support.pauses import shorten


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """Return a running server that huggingface_hub takes for the hub, offline as in a job, without a token."""
    served = HubServer()
    monkeypatch.setattr(constants, "ENDPOINT", served.url)
    template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)  # what a break throws away of a transfer
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    shorten(monkeypatch, "huggingface_hub.file_download", "huggingface_hub.utils._http")
    yield served
    served.close()


@pytest.fixture(scope="session")
def few_tasks() -> Iterator[None]:
    """Let lm-eval know the tasks of the paper alone: to read all of its 14,000 files takes a quarter of a minute."""
    from crane.evaluation import benchmarks
    from lm_eval import tasks

    class Few(tasks.TaskManager):
        def __init__(self, *, include_path: Any = (), include_defaults: bool = True) -> None:
            known = Path(tasks.__file__).parent
            own = [known / name for name in ("belebele", "ceval", "mmlu")] if include_defaults else []
            super().__init__(include_path=[*own, *include_path], include_defaults=False)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "TaskManager", Few)
        benchmarks._lm_eval_index.cache_clear()
        yield
    benchmarks._lm_eval_index.cache_clear()
