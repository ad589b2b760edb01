"""A local HTTP server that speaks the hub's protocol as far as downloads need it, and that can misbehave."""

import hashlib
import json
import threading
from collections import Counter
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

BLOCK = 16_384
LFS = (".safetensors", ".bin", ".parquet", ".gz", ".model")
TOKEN = "hf_" + "t" * 20


class HubServer:
    """Repositories under `/<owner>/<name>` and plain files under `/files/`, both taken from folders.

    Every repository has one commit, and `refs/pr/1` names it, too.
    """

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Path] = {}
        self.files: dict[str, bytes] = {}
        self.gated: set[str] = set()
        self.breaks: dict[str, list[int]] = {}
        """Path of a file -> after how many bytes the next transfers break."""
        self.damaged: set[str] = set()
        self.ranges = True
        """Whether a transfer can go on in the middle of a file."""
        self.storage = False
        """Whether files of LFS lie at another host (`localhost`), to which the hub redirects, as the real one does."""
        self.status: int | None = None
        """Answer of everything, where it is given."""
        self.sent: Counter[str] = Counter()
        """Path of a file -> bytes sent of it."""
        self.requests: list[tuple[str, str, str]] = []
        """Method, path, and token of every request."""
        server = self

        class Handler(_Handler):
            hub = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that was killed
        threading.Thread(target=self._http.serve_forever, args=[0.01], daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def storage_url(self) -> str:
        return f"http://localhost:{self._http.server_address[1]}/storage/"

    def add(self, kind: str, repository: str, folder: Path) -> str:
        """Serve a folder as a repository; return its commit."""
        self.repositories[kind, repository] = folder
        return self.commit(repository)

    @staticmethod
    def commit(repository: str) -> str:
        return hashlib.sha1(repository.encode()).hexdigest()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits until its headers are acknowledged, 40 ms
    hub: HubServer

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.hub.requests.append((self.command, unquote(path), token))
        if self.hub.status:
            self._fail(self.hub.status)
        elif path.startswith("/files/"):
            content = self.hub.files.get(unquote(path).removeprefix("/files/"))
            self._fail(404) if content is None else self._send(unquote(path), content, {})
        elif path.startswith("/storage/"):
            self._stored(path.removeprefix("/storage/"), token)
        elif token and token != TOKEN:
            self._fail(401, message="Invalid credentials in Authorization header")
        elif path.startswith("/api/"):
            self._api(path.removeprefix("/api/"))
        else:
            self._resolve(path.lstrip("/"))

    def _repository(self, kind: str, name: str, revision: str) -> Path | None:
        """Return the repository's folder; answer with the hub's refusal where there is none."""
        folder = self.hub.repositories.get((kind, name))
        if folder is None:
            self._fail(401 if not self.headers.get("Authorization") else 404, "RepoNotFound")
            return None
        if unquote(revision) not in (self.hub.commit(name), "refs/pr/1"):
            self._fail(404, "RevisionNotFound")
            return None
        return folder

    def _api(self, path: str) -> None:
        kinds, owner, name, action, revision, *below = path.split("/")
        repository = f"{owner}/{name}"
        folder = self._repository(kinds.removesuffix("s"), repository, revision)
        if folder is None:
            return
        if action == "revision":
            self._json({"id": repository, "sha": self.hub.commit(repository), "siblings": []})
            return
        start = folder / unquote("/".join(below))
        if not start.is_dir():
            self._fail(404, "EntryNotFound")
            return
        recursive = "recursive=true" in self.path.lower()
        entries = sorted(start.rglob("*") if recursive else start.iterdir())
        self._json([self._entry(folder, entry) for entry in entries])

    @staticmethod
    def _entry(folder: Path, path: Path) -> dict[str, Any]:
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            return {"type": "directory", "path": name, "size": 0, "oid": "0" * 40}
        content = path.read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        entry: dict[str, Any] = {"type": "file", "path": name, "size": len(content), "oid": blob}
        if name.endswith(LFS):
            digest = hashlib.sha256(content).hexdigest()
            entry |= {"oid": "0" * 40, "lfs": {"oid": digest, "size": len(content), "pointerSize": 134}}
        return entry

    def _resolve(self, path: str) -> None:
        kind = "dataset" if path.startswith("datasets/") else "model"
        owner, name, _, revision, *below = path.removeprefix("datasets/").split("/")
        repository = f"{owner}/{name}"
        folder = self._repository(kind, repository, revision)
        if folder is None:
            return
        if repository in self.hub.gated:
            self._fail(403 if self.headers.get("Authorization") else 401, "GatedRepo")
            return
        file = folder / unquote("/".join(below))
        if not file.is_file():
            self._fail(404, "EntryNotFound")
            return
        content = file.read_bytes()
        headers = {
            "X-Repo-Commit": self.hub.commit(repository),
            "ETag": f'"{hashlib.sha1(content).hexdigest()}"',
        }
        if self.hub.storage and file.name.endswith(LFS):
            headers |= {
                "X-Linked-Size": str(len(content)), "X-Linked-ETag": f'"{hashlib.sha256(content).hexdigest()}"',
                "Location": f"{self.hub.storage_url}{kind}/{repository}/{'/'.join(below)}?signature=valid-for-a-while",
            }  # fmt: skip
            self._redirect(headers)
        else:
            self._send(unquote("/".join(below)), content, headers)

    def _redirect(self, headers: dict[str, str]) -> None:
        self.send_response(302)
        for key, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(key, value)
        self.end_headers()

    def _stored(self, path: str, token: str) -> None:
        """Send a file from the storage, which takes the signature in the address alone: a token is one too many."""
        kind, owner, name, *below = path.split("/")
        if token:
            self._fail(400)
            return
        file = self.hub.repositories[kind, f"{owner}/{name}"] / unquote("/".join(below))
        self._send(unquote("/".join(below)), file.read_bytes(), {})

    def _send(self, path: str, content: bytes, headers: dict[str, str]) -> None:
        start, span = 0, self.headers.get("Range")
        if span and self.hub.ranges:
            start = int(span.removeprefix("bytes=").split("-")[0])
            if start >= len(content):
                self._fail(416)
                return
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.send_response(206 if "Content-Range" in headers else 200)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        if any(fnmatch(path, pattern) for pattern in self.hub.damaged):
            content = bytes(255 - byte for byte in content)
        end, breaks = len(content), self.hub.breaks.get(path)
        if breaks:
            end = min(end, start + breaks.pop(0))
        for at in range(start, end, BLOCK):
            block = content[at : min(at + BLOCK, end)]
            self.hub.sent[path] += len(block)  # first, so that a client that has the block finds it counted
            self.wfile.write(block)
        if end < len(content):
            self.close_connection = True

    def _json(self, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _fail(self, status: int, code: str = "", message: str = "") -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        if message:
            self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()
