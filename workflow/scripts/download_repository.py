"""Download the needed files of a hub repository at a pinned revision, with a manifest of their hashes."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from crane.downloads.repository import download, find_files
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `download_model` or `download_dataset`."""
    pin, (target,) = snakemake.params.pin, snakemake.output
    kind = snakemake.params.kind
    checks: list[Callable[[Path], None]] = []
    if kind == "model":
        # With PyTorch and transformers: many data sets are downloaded in less time than the import takes.
        from crane.models.folders import check_folder, check_settings

        asked = {"name": snakemake.wildcards.model, **snakemake.params.shape}
        checks = [partial(check_settings, **asked), partial(check_folder, **asked)]
    snapshot = find_files(pin["repository"], pin["revision"], kind, pin.get("files", ()))
    print(
        f"{pin['repository']} at {snapshot.commit}: {len(snapshot.files)} files, {snapshot.size / 1e9:.3f} GB"
    )
    manifest = download(snapshot, Path(target), *checks)
    for name, digest in manifest["sha256"].items():
        print(f"{digest}  {name}")


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
