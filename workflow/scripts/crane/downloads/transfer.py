"""Files from the network: one transfer that goes on where it broke, checked against its hash.

The transfer itself is `huggingface_hub`'s. Its downloads to a folder start a file anew when the process was killed
(version 2.4.0), which is why the partial file is kept here.
"""

import errno
import hashlib
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import get_session, hf_raise_for_status
from tqdm import tqdm

from crane.artefacts import sha256
from crane.errors import CraneError

DELAY = 5
"""Seconds before progress of a file is shown, and between its lines."""
ATTEMPTS = 5
"""Of one file in a row, each going on where the one before broke."""
_SWITCH = threading.Lock()
_FOUND: list[bool] = []
"""huggingface_hub's offline switch as each context of `online` that lasts has found it."""


class _Bar(tqdm):
    """Progress of one file, for a log: seldom, and only of files that take a while."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(mininterval=DELAY, delay=DELAY, **settings)


class DownloadError(CraneError, OSError):
    """Something cannot be downloaded."""


@contextmanager
def online() -> Iterator[None]:
    """Lift the workflow's offline switch (HF_HUB_OFFLINE) while the context lasts.

    The Snakefile sets it for all jobs; huggingface_hub reads it once, when it is imported, and its constant later.
    The switch is one for all threads: it is lifted until the last of the contexts that overlap has ended.
    """
    with _SWITCH:
        _FOUND.append(constants.HF_HUB_OFFLINE)
        constants.HF_HUB_OFFLINE = False
    try:
        yield
    finally:
        with _SWITCH:  # whoever ends last takes what the first has found: every other has found it lifted
            constants.HF_HUB_OFFLINE = _FOUND.pop()


@contextmanager
def explained(what: str, url: str) -> Iterator[None]:
    """Turn an error of the network or the disk into a `DownloadError` that says what to do.

    Args:
        what: is downloaded, as the message calls it.
        url: its address, of which messages name the host.
    """
    host = urlsplit(url).netloc
    try:
        yield
    except HfHubHTTPError as error:
        raise DownloadError(f"{what}: {_status(error.response.status_code, host)}") from error
    except httpx2.HTTPError as error:
        raise DownloadError(
            f"{what}: the connection to {host} failed ({type(error).__name__}: {error}); downloads run where snakemake "
            "was started, so start it where there is a network (a login node); the same command goes on from here"
        ) from error
    except OSError as error:
        if isinstance(error, CraneError):
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DownloadError(
                f"{what}: the disk is full ({error.strerror}); free some space or put results/ on a larger disk, "
                "the same command goes on from here"
            ) from error
        reason = " ".join(str(error).split())
        raise DownloadError(f"{what}: {reason}; mend that, the same command goes on from here") from error


def _status(status: int, host: str) -> str:
    if status == 401:
        return f"{host} refuses the token (HTTP 401); set HF_TOKEN to a valid one, or log in with `hf auth login`"
    if status == 403:
        return (
            f"{host} forbids it (HTTP 403); give the token of HF_TOKEN the permission to read this repository"
        )
    if status in (404, 410):
        return f"{host} does not have it (HTTP {status}); correct its address in the configuration"
    if status == 429:
        return f"{host} asks for patience (HTTP 429); run again in some minutes, with HF_TOKEN set"
    return f"{host} answers HTTP {status}; run again later"


def check_space(folder: Path, needed: int) -> None:
    """Compare the free disk space where `folder` is, or will be, with the bytes needed.

    Raises:
        DownloadError: there is less.
    """
    existing = next(path for path in [folder, *folder.absolute().parents] if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise DownloadError(
            f"{folder}: {needed / 1e9:.2f} GB are to be downloaded and {free / 1e9:.2f} GB are free; free some space "
            "or put results/ on a larger disk"
        )


def git_blob(path: Path) -> str:
    """Return the name that git gives a file's content (SHA-1), as the hub states it of files outside LFS."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.download")


def partial_size(path: Path) -> int:
    """Return how many bytes of a file have arrived in earlier attempts."""
    return _partial(path).stat().st_size if _partial(path).exists() else 0


def fetch(
    url: str,
    path: Path,
    *,
    what: str,
    size: int | None = None,
    expected: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> str:
    """Download one file, unless it is there, and compare it with its hash.

    What has arrived stays in `.<name>.download` beside `path` until the file is whole: a transfer that breaks, or a
    process that is killed, goes on from there where the server allows it, at most one block of huggingface_hub's
    (10 MB) is sent again. Progress with rate and time left goes to the standard error.

    Args:
        url: address.
        path: the file.
        what: the file as progress and messages call it.
        size: in bytes, where it is known.
        expected: SHA-256 (64 digits) or git's name of the content (40 digits), where it is known.
        headers: of the request.

    Returns:
        The file's SHA-256.

    Raises:
        DownloadError: no network, no permission, no space, or another file than expected; nothing wrong is left.
    """
    if path.exists() and _matches(path, size, expected):
        return sha256(path)
    partial = _partial(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    resumed = partial.exists()
    with explained(what, url):
        _transfer(url, partial, what, size, dict(headers or {}))
        if resumed and not _matches(
            partial, size, expected
        ):  # what was there was of another or a damaged file
            partial.unlink()
            _transfer(url, partial, what, size, dict(headers or {}))
    if not _matches(partial, size, expected):
        received = f"{partial.stat().st_size} bytes with SHA-256 {sha256(partial)}"
        partial.unlink()
        raise DownloadError(
            f"{what}: what {urlsplit(url).netloc} sent is not the expected file: {received} instead of "
            f"{'' if size is None else f'{size} bytes with '}hash {expected}; run again, and if it stays so, "
            "do not use the file and check where the expected hash comes from"
        )
    partial.replace(path)
    return sha256(path)


def _matches(path: Path, size: int | None, expected: str | None) -> bool:
    if size is not None and path.stat().st_size != size:
        return False
    return expected is None or expected == (git_blob(path) if len(expected) == 40 else sha256(path))


def _transfer(url: str, partial: Path, what: str, size: int | None, headers: dict[str, str]) -> None:
    # No compression on the way: sizes and ranges are then those of the file.
    headers["Accept-Encoding"] = "identity"
    for attempt in range(1, ATTEMPTS + 1):
        done = partial.stat().st_size if partial.exists() else 0
        if size is not None and done >= size and done:
            return
        try:
            with partial.open("ab") as file:
                http_get(
                    url,
                    file,
                    resume_size=done,
                    headers=headers,
                    displayed_filename=what,
                    tqdm_class=_Bar,
                )
            return
        except HfHubHTTPError as error:
            if error.response.status_code == 416 and done:  # nothing is missing: the hash decides
                return
            if not done:
                partial.unlink(missing_ok=True)
            raise
        except httpx2.TransportError as error:
            if attempt == ATTEMPTS or partial.stat().st_size == done:
                raise
            print(
                f"{what}: {type(error).__name__} after {partial.stat().st_size} bytes, going on", flush=True
            )


def check_url(url: str) -> int | None:
    """Ask a server for a file without downloading it.

    Returns:
        Its size in bytes, or None where the server does not say.

    Raises:
        DownloadError: it cannot be reached or does not have the file.
    """
    with online(), explained(url, url):
        response = get_session().head(url, headers={"Accept-Encoding": "identity"}, timeout=30)
        if response.status_code in (405, 501):  # HEAD is not for every server
            return None
        hf_raise_for_status(response)
    size = response.headers.get("Content-Length")
    return int(size) if size and size.isdigit() else None


def download_url(url: str, path: Path, expected: str) -> None:
    """Download a file of a given SHA-256, unless it is there.

    Raises:
        DownloadError: as `fetch`.
    """
    with online():
        check_space(path.parent, check_url(url) or 0)
        fetch(url, path, what=path.name, expected=expected)
