"""Download one file with a given SHA-256."""

from pathlib import Path
from typing import Any

from crane.downloads.transfer import download_url
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `download_file`."""
    source = snakemake.params.source
    download_url(source["url"], Path(snakemake.output.file), source["sha256"])
    print(f"{source['sha256']}  {source['url']}")


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
