"""Files from the network: resumable transfers, verified against a hash.

`huggingface_hub` does the transfer. Its own downloads to a folder restart a file when the process was killed (version
2.4.0), so the partial file is managed here.
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
"""Seconds before the progress of a file is shown, and between two lines of it."""
ATTEMPTS = 5
"""Consecutive attempts for one file; each resumes where the last one broke off."""
_SWITCH = threading.Lock()
_FOUND: list[bool] = []
"""Value of huggingface_hub's offline switch before each active context of `online`."""


class _Bar(tqdm):
    """Progress of one file for a log: rare lines, and only for downloads that take a while."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(mininterval=DELAY, delay=DELAY, **settings)


class DownloadError(CraneError, OSError):
    """Something cannot be downloaded."""


@contextmanager
def online() -> Iterator[None]:
    """Lift the workflow's offline switch (HF_HUB_OFFLINE) within the context.

    The Snakefile sets it for all jobs; huggingface_hub reads the variable once, at import, and its own constant later.
    All threads share the switch: it is lifted until the last of overlapping contexts ends.
    """
    with _SWITCH:
        _FOUND.append(constants.HF_HUB_OFFLINE)
        constants.HF_HUB_OFFLINE = False
    try:
        yield
    finally:
        with _SWITCH:  # the last context to end restores the first value; all others saw the switch lifted
            constants.HF_HUB_OFFLINE = _FOUND.pop()


@contextmanager
def explained(what: str, url: str) -> Iterator[None]:
    """Turn an error of the network or the disk into a `DownloadError` that says how to fix it.

    Args:
        what: name of the download in messages.
        url: its address; messages name the host.
    """
    host = urlsplit(url).netloc
    try:
        yield
    except HfHubHTTPError as error:
        raise DownloadError(f"{what}: {_status(error.response.status_code, host)}") from error
    except httpx2.HTTPError as error:
        raise DownloadError(
            f"{what}: the connection to {host} failed ({type(error).__name__}: {error}); downloads run where snakemake "
            "was started, so start it on a machine with network access (a login node); rerun the same command to resume"
        ) from error
    except OSError as error:
        if isinstance(error, CraneError):
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DownloadError(
                f"{what}: the disk is full ({error.strerror}); free some space or put results/ on a larger disk, then "
                "rerun the same command to resume"
            ) from error
        reason = " ".join(str(error).split())
        raise DownloadError(f"{what}: {reason}; fix that, then rerun the same command to resume") from error


def _status(status: int, host: str) -> str:
    if status == 401:
        return f"{host} refuses the token (HTTP 401); set HF_TOKEN to a valid one, or log in with `hf auth login`"
    if status == 403:
        return (
            f"{host} forbids it (HTTP 403); give the token of HF_TOKEN the permission to read this repository"
        )
    if status in (404, 410):
        return f"{host} does not have it (HTTP {status}); correct the address in the configuration"
    if status == 429:
        return f"{host} is rate-limiting requests (HTTP 429); retry in a few minutes, with HF_TOKEN set"
    return f"{host} answers HTTP {status}; run again later"


def check_space(folder: Path, needed: int) -> None:
    """Check that the disk of `folder`, which need not exist yet, has room for the bytes needed.

    Raises:
        DownloadError: it has less.
    """
    existing = next(path for path in [folder, *folder.absolute().parents] if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise DownloadError(
            f"{folder}: {needed / 1e9:.2f} GB are to be downloaded and {free / 1e9:.2f} GB are free; free some space "
            "or put results/ on a larger disk"
        )


def git_blob(path: Path) -> str:
    """Return the git blob hash (SHA-1) of a file, which the hub reports for files outside LFS."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.download")


def partial_size(path: Path) -> int:
    """Return how many bytes of a file earlier attempts have received."""
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
    """Download one file, unless it exists, and verify its hash.

    Received bytes stay in `.<name>.download` next to `path` until the file is complete. After a broken transfer or a
    killed process the download resumes from there if the server allows it; at most one block of huggingface_hub (10 MB)
    is sent again. Progress, with rate and remaining time, goes to standard error.

    Args:
        url: address.
        path: the file.
        what: name of the file in progress and messages.
        size: size in bytes, if known.
        expected: SHA-256 (64 digits) or git blob hash (40 digits), if known.
        headers: headers of the request.

    Returns:
        The file's SHA-256.

    Raises:
        DownloadError: no network, no permission, no space, or not the expected file, which is then deleted.
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
        ):  # the partial file was damaged or belonged to another file
            partial.unlink()
            _transfer(url, partial, what, size, dict(headers or {}))
    if not _matches(partial, size, expected):
        received = f"{partial.stat().st_size} bytes with SHA-256 {sha256(partial)}"
        partial.unlink()
        raise DownloadError(
            f"{what}: {urlsplit(url).netloc} did not send the expected file: {received} instead of "
            f"{'' if size is None else f'{size} bytes with '}hash {expected}; run again, and if the error persists, "
            "do not use the file and check the source of the expected hash"
        )
    partial.replace(path)
    return sha256(path)


def _matches(path: Path, size: int | None, expected: str | None) -> bool:
    if size is not None and path.stat().st_size != size:
        return False
    return expected is None or expected == (git_blob(path) if len(expected) == 40 else sha256(path))


def _transfer(url: str, partial: Path, what: str, size: int | None, headers: dict[str, str]) -> None:
    # Without compression, sizes and ranges refer to the file itself.
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
            if error.response.status_code == 416 and done:  # nothing is missing; the hash is verified next
                return
            if not done:
                partial.unlink(missing_ok=True)
            raise
        except httpx2.TransportError as error:
            if attempt == ATTEMPTS or partial.stat().st_size == done:
                raise
            print(
                f"{what}: {type(error).__name__} after {partial.stat().st_size} bytes, resuming", flush=True
            )


def check_url(url: str) -> int | None:
    """Check that a server has a file, without downloading it.

    Returns:
        Its size in bytes, or None if the server does not report it.

    Raises:
        DownloadError: the server cannot be reached or does not have the file.
    """
    with online(), explained(url, url):
        response = get_session().head(url, headers={"Accept-Encoding": "identity"}, timeout=30)
        if response.status_code in (405, 501):  # some servers do not support HEAD
            return None
        hf_raise_for_status(response)
    size = response.headers.get("Content-Length")
    return int(size) if size and size.isdigit() else None


def download_url(url: str, path: Path, expected: str) -> None:
    """Download a file with a given SHA-256, unless it exists.

    Raises:
        DownloadError: as in `fetch`.
    """
    with online():
        check_space(path.parent, check_url(url) or 0)
        fetch(url, path, what=path.name, expected=expected)
