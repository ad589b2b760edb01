"""The pool of a language's documents: a sample of data set files that are downloaded, read and deleted one by one."""

import glob
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from crane.artefacts import read_metadata, read_table, write_table
from crane.corpora.documents import read_documents
from crane.corpora.sampling import sample
from crane.downloads.repository import RemoteFile, Snapshot, fetch_files


def draw_files(snapshot: Snapshot, count: int, seed: int) -> Snapshot:
    """Draw at most `count` of a snapshot's files with the seed; README.md is never drawn."""

    def rank(file: RemoteFile) -> bytes:
        return hashlib.blake2b(f"{seed}\x1f{file.path}".encode(), digest_size=8).digest()

    files = sorted((file for file in snapshot.files if file.path != "README.md"), key=rank)[:count]
    return snapshot._replace(files=sorted(files))


def download_pool(snapshot: Snapshot, work: Path, *, column: str, pool: int, seed: int) -> Iterator[Path]:
    """Download, sample and delete the files of a snapshot, one after the other.

    At any time, disk and memory hold one file and the samples. A file whose sample is in `work` is not downloaded
    again; a partial download is resumed.

    Args:
        snapshot: from `draw_files`.
        work: folder of the samples and of the current file.
        column: field that holds the text.
        pool: documents kept from each file.
        seed: seed of the sample.

    Yields:
        Each file's sample: a table with the column `text`, whose metadata names the file and the counts.

    Raises:
        DownloadError: as in `crane.downloads.repository.fetch_files`.
        TextError: a file cannot be read.
    """
    for number, file in enumerate(snapshot.files, 1):
        settings = f"{snapshot.commit}\x1f{file}\x1f{column}\x1f{pool}\x1f{seed}"
        name = hashlib.blake2b(settings.encode(), digest_size=8).hexdigest()
        path = work / f"{name}.parquet"
        if not path.exists():
            print(
                f"file {number} of {len(snapshot.files)}: {file.path}, {file.size / 1e6:.0f} MB", flush=True
            )
            folder = work / name
            hashes = fetch_files(snapshot._replace(files=[file]), folder)
            drawn = sample(read_documents(glob.escape(str(folder / file.path)), column), pool, seed)
            counts = {"read": drawn.read, "empty": drawn.empty, "duplicate": drawn.duplicate}
            write_table(pd.DataFrame({"text": drawn.texts}), path, {"sha256": hashes, **counts})
            shutil.rmtree(folder)
        yield path


def merge_pool(samples: list[Path], pool: int, seed: int) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    """Merge samples of `download_pool` into the sample of all their files.

    Returns:
        A table with the column `text`, and facts: `sha256` of the files; documents `read`, `empty` and `duplicate`
        (sampled documents that occur again in their own file or in another file's sample).
    """
    facts: dict[str, Any] = {"sha256": {}, "read": 0, "empty": 0, "duplicate": 0}
    texts: list[str] = []
    for path in samples:
        metadata = read_metadata(path)
        facts["sha256"].update(metadata["sha256"])
        for count in ("read", "empty", "duplicate"):
            facts[count] += metadata[count]
        texts += read_table(path)["text"].tolist()
    merged = sample(texts, pool, seed)
    facts["duplicate"] += merged.duplicate
    return pd.DataFrame({"text": merged.texts}), facts
