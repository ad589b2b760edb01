"""Repositories of the Hugging Face hub: list a pinned revision, and download its files to a folder with a manifest."""

import fnmatch
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import HfApi, RepoFile, constants, get_hf_file_metadata, get_token, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers

from crane.artefacts import write_json
from crane.downloads.transfer import DownloadError, check_space, explained, fetch, online, partial_size

SAFETENSORS = re.compile(r"model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json")
BIN = re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin|pytorch_model\.bin\.index\.json")
SETTINGS = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)
"""Files of a language model that transformers and vLLM read, besides the weights."""


class RemoteFile(NamedTuple):
    """A file of a repository."""

    path: str
    size: int
    """Bytes."""
    digest: str
    """SHA-256 (LFS) or git blob hash of the content, as the hub reports it."""


class Snapshot(NamedTuple):
    """Files of a repository at one commit."""

    repository: str
    kind: str
    """`model` or `dataset`."""
    revision: str
    """As requested."""
    commit: str
    """The commit that the revision resolves to."""
    files: list[RemoteFile]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def url(self, file: RemoteFile) -> str:
        """Return the address of a file."""
        return hf_hub_url(self.repository, file.path, repo_type=self.kind, revision=self.commit)


def page(repository: str, kind: str) -> str:
    """Return the address of a repository's page."""
    return f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{repository}"


@contextmanager
def _explained(repository: str, revision: str, kind: str) -> Iterator[None]:
    """Turn the hub's refusals into a `DownloadError` that says how to fix them."""
    what, address = f"{kind} {repository}", page(repository, kind)
    with explained(what, address):
        try:
            yield
        except GatedRepoError as error:  # before RepositoryNotFoundError, its base class
            lacking = "no token was found" if get_token() is None else "this token's account may not read it"
            raise DownloadError(
                f"{what} is gated and {lacking}: accept its licence at {address}, then set HF_TOKEN (or log in with "
                "`hf auth login`) where snakemake is started"
            ) from error
        except RepositoryNotFoundError as error:
            raise DownloadError(
                f"{what}: {constants.ENDPOINT} has no such repository, or it is private; correct its name in the "
                "configuration, or set HF_TOKEN to a token that may read it"
            ) from error
        except RevisionNotFoundError as error:
            raise DownloadError(
                f"{what} has no revision {revision} (any more); take one of {address}/commits/main into the "
                "configuration"
            ) from error


def find_files(repository: str, revision: str, kind: str, patterns: Sequence[str] = ()) -> Snapshot:
    """List the files of a repository that are needed, without downloading any.

    Args:
        repository: `owner/name`.
        revision: commit or reference.
        kind: `model` or `dataset`.
        patterns: globs of a data set's files, matched against the whole path (`*` also matches `/`); README.md is
            added. Without patterns, the files of a model: configuration, tokenizer, and weights as safetensors, or as
            .bin if there are none.

    Raises:
        DownloadError: no network, no such repository or revision, no permission, or a pattern that matches nothing.
    """
    api = HfApi()
    with online(), _explained(repository, revision, kind):
        commit = str(api.repo_info(repository, revision=revision, repo_type=kind, timeout=30).sha)
        files: dict[str, RemoteFile] = {}
        for folder, recursive in sorted({_folder(pattern) for pattern in (*patterns, "README.md")}):
            try:
                for entry in api.list_repo_tree(
                    repository, folder or None, recursive=recursive, revision=commit, repo_type=kind
                ):
                    if isinstance(entry, RepoFile):
                        digest = entry.lfs.sha256 if entry.lfs else entry.blob_id
                        files[entry.path] = RemoteFile(entry.path, entry.size, digest)
            except EntryNotFoundError:
                continue
    chosen = _of_patterns(files, patterns) if patterns else _of_model(files)
    if isinstance(chosen, str):
        raise DownloadError(f"{kind} {repository} at {revision}: {chosen}")
    return Snapshot(repository, kind, revision, commit, [files[path] for path in sorted(chosen)])


def _folder(pattern: str) -> tuple[str, bool]:
    """Return the folder in which a pattern can match, and whether it can match in subfolders."""
    fixed = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    return fixed.rpartition("/")[0], fixed != pattern


def _of_patterns(paths: Iterable[str], patterns: Sequence[str]) -> set[str] | str:
    chosen = {path for path in paths if path == "README.md"}
    for pattern in patterns:
        matching = {path for path in paths if fnmatch.fnmatchcase(path, pattern)}
        if not matching:
            return f"no file matches {pattern!r}; correct the glob in the configuration"
        chosen |= matching
    return chosen


def _of_model(paths: Iterable[str]) -> set[str] | str:
    chosen = {path for path in paths if path in SETTINGS}
    for form in (SAFETENSORS, BIN):
        weights = {path for path in paths if form.fullmatch(path)}
        single = {path for path in weights if not path.endswith(".json") and "-of-" not in path}
        # Of one file and several with an index, either is the whole model; transformers reads the first.
        weights = single or weights
        if any(not path.endswith(".json") for path in weights):
            return chosen | weights
    return (
        "no weights (model*.safetensors or pytorch_model*.bin); name another repository in the configuration"
    )


def _probe(snapshot: Snapshot) -> None:
    """Request one file: a gated repository lists its files to everyone but does not serve them."""
    with _explained(snapshot.repository, snapshot.revision, snapshot.kind):
        get_hf_file_metadata(snapshot.url(max(snapshot.files, key=lambda file: file.size)), timeout=30)


def check_access(repository: str, revision: str, kind: str, patterns: Sequence[str] = ()) -> int:
    """Check, without downloading, that a repository's files can be downloaded.

    Args:
        repository, revision, kind, patterns: as in `find_files`.

    Returns:
        Size of the files in bytes.

    Raises:
        DownloadError: the error that a download would raise.
    """
    snapshot = find_files(repository, revision, kind, patterns)
    with online():
        _probe(snapshot)
    return snapshot.size


def fetch_files(
    snapshot: Snapshot, folder: Path, check: Callable[[Path], None] | None = None
) -> dict[str, str]:
    """Download the files of a snapshot that are not in `folder` yet, weights last, and verify every hash.

    Args:
        snapshot: from `find_files`.
        folder: receives the files under their paths.
        check: called with the folder before the first weights, so that errors in the small files are reported before
            the long download.

    Returns:
        Path in the repository -> SHA-256.

    Raises:
        DownloadError: as in `crane.downloads.transfer.fetch`, or too little free space.
    """
    hashes: dict[str, str] = {}
    order = sorted(snapshot.files, key=lambda file: (_is_weights(file), file.path))
    with online():
        _probe(snapshot)
        check_space(folder, sum(_missing(folder, file) for file in order))
        for number, file in enumerate(order, 1):
            if check and _is_weights(file):
                check(folder)
                check = None
            hashes[file.path] = fetch(
                snapshot.url(file),
                folder / file.path,
                what=f"[{number}/{len(order)}] {file.path}",
                size=file.size,
                expected=file.digest,
                headers=build_hf_headers(),
            )
    return dict(sorted(hashes.items()))


def _is_weights(file: RemoteFile) -> bool:
    return file.path.endswith((".safetensors", ".bin"))


def _missing(folder: Path, file: RemoteFile) -> int:
    return 0 if (folder / file.path).exists() else file.size - partial_size(folder / file.path)


def download(
    snapshot: Snapshot,
    target: Path,
    check: Callable[[Path], None] | None = None,
    check_all: Callable[[Path], None] | None = None,
) -> dict[str, Any]:
    """Download a snapshot to a folder with a `manifest.json`: source, revision, commit, SHA-256 of every file.

    Until all files are complete and verified they are in `.<name>.<commit>.download` next to the folder, from which the
    next attempt resumes.

    Args:
        snapshot: from `find_files`.
        target: the folder, written atomically.
        check: as in `fetch_files`.
        check_all: called with the folder when all files are there; if it raises, they stay where they are and are not
            downloaded again.

    Returns:
        The manifest.

    Raises:
        DownloadError: as in `fetch_files`.
    """
    work = target.with_name(f".{target.name}.{snapshot.commit[:12]}.download")
    for other in target.parent.glob(f".{target.name}.*.download"):
        if other != work:  # of another revision
            shutil.rmtree(other)
    manifest = {
        "source": snapshot.repository,
        "revision": snapshot.revision,
        "commit": snapshot.commit,
        "sha256": fetch_files(snapshot, work, check),
    }
    if check_all is not None:
        check_all(work)
    write_json(manifest, work / "manifest.json")
    shutil.rmtree(target, ignore_errors=True)
    work.replace(target)
    return manifest
