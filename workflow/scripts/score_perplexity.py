"""Collect the log-likelihoods of all mask sets into perplexities with intervals."""

from typing import Any

import pandas as pd
from crane.artefacts import read_table, write_table
from crane.scores.perplexity import summarise
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `score_perplexity`."""
    documents = pd.concat([read_table(path) for path in snakemake.input.documents], ignore_index=True)
    settings = {key.removeprefix("scores."): value for key, value in snakemake.params.scores.items()}
    table = summarise(documents, **settings)
    about = snakemake.params.mask_sets
    table.insert(2, "label", table["mask_set"].map(lambda name: about[name]["group"]))
    table.insert(3, "method", table["mask_set"].map(lambda name: about[name]["method"]))
    write_table(table, snakemake.output.table, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
