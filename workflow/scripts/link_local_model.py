"""Take over a local Hugging Face model folder: links to its files, and a manifest of their hashes."""

from pathlib import Path
from typing import Any

from crane.models.folders import link_folder
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `link_local_model`."""
    source = Path(snakemake.params.path)
    manifest = link_folder(
        source, Path(snakemake.output.model), snakemake.wildcards.model, **snakemake.params.shape
    )
    for name, digest in manifest["sha256"].items():
        print(f"{digest}  {source / name}")


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
