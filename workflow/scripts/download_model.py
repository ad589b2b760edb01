"""Download a model of the hub at a pinned revision: what is needed to run it, and a manifest of the hashes."""

from pathlib import Path
from typing import Any

from crane.downloads.repository import download, find_files
from crane.models.folders import check_config, check_tokenizer
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `download_model`."""
    pin = snakemake.params.pin

    def check(folder: Path) -> None:
        check_tokenizer(folder)
        check_config(folder, snakemake.wildcards.model, **snakemake.params.shape)

    snapshot = find_files(pin["repository"], pin["revision"], "model")
    print(
        f"{pin['repository']} at {snapshot.commit}: {len(snapshot.files)} files, {snapshot.size / 1e9:.2f} GB"
    )
    manifest = download(snapshot, Path(snakemake.output.model), check)
    for name, digest in manifest["sha256"].items():
        print(f"{digest}  {name}")


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
