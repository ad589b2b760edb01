"""Download data set files of one language one by one and keep a sample of their documents."""

import shutil
from pathlib import Path
from typing import Any

from crane.artefacts import write_table
from crane.corpora.pool import download_pool, draw_files, merge_pool
from crane.downloads.repository import find_files
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `download_corpus`."""
    pin, corpus = snakemake.params.pin, snakemake.params.corpus
    size, seed = corpus["corpora.pool"], corpus["corpora.seed"]
    matching = find_files(pin["repository"], pin["revision"], "dataset", [pin["files"]])
    drawn = draw_files(matching, corpus["corpora.max_files"], seed)
    print(
        f"{pin['repository']} at {drawn.commit}: {len(drawn.files)} files drawn from those that match {pin['files']}, "
        f"{drawn.size / 1e9:.2f} GB, on the disk one at a time",
        flush=True,
    )
    output = Path(snakemake.output.pool)
    work = output.with_name(f".{output.name}.download")
    samples = list(download_pool(drawn, work, column=corpus["corpora.column"], pool=size, seed=seed))
    frame, facts = merge_pool(samples, size, seed)
    print(f"{facts['read']} documents read, {facts['empty']} empty, {facts['duplicate']} duplicate")
    print(f"{len(frame)} documents kept")
    write_table(frame, output, provenance(snakemake, commit=drawn.commit, **facts))
    shutil.rmtree(work)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
