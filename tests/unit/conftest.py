"""A local server in the place of the hub."""

import pytest
from huggingface_hub import constants
from support.hub_server import HubServer


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
    yield served
    served.close()
