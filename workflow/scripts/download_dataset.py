"""Download the files of a data set of the hub at a pinned revision, and a manifest of their hashes."""

from pathlib import Path
from typing import Any

from crane.downloads.repository import download, find_files
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `download_dataset`."""
    pin = snakemake.params.pin
    snapshot = find_files(pin["repository"], pin["revision"], "dataset", pin["files"])
    print(
        f"{pin['repository']} at {snapshot.commit}: {len(snapshot.files)} files, {snapshot.size / 1e6:.1f} MB"
    )
    manifest = download(snapshot, Path(snakemake.output.dataset))
    for name, digest in manifest["sha256"].items():
        print(f"{digest}  {name}")


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
