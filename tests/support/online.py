"""Copies of the workflow that download from a local server in the place of the hub."""

from pathlib import Path
from typing import Any

from support.hub_server import HubServer
from support.workspace import Workspace


class OnlineWorkspace(Workspace):
    """A copy of the workflow whose hub is a local server."""

    warm = False  # what goes online is decided when the libraries are imported

    def __init__(
        self, folder: Path, config: dict[str, Any], hub: HubServer, token: str | None = None
    ) -> None:
        super().__init__(folder, config)
        self.hub = hub
        self._token = token

    def environment(self) -> dict[str, str]:
        own = {"HF_ENDPOINT": self.hub.url, "HF_HOME": str(self.folder / "home")}
        return {**super().environment(), **own, **({"HF_TOKEN": self._token} if self._token else {})}
