"""Turn the log-likelihoods of all mask sets into perplexities with intervals."""

from typing import Any

import pandas as pd
from crane.artefacts import read_table, write_table
from crane.scores.mask_sets import with_groups
from crane.scores.perplexity import summarise
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `score_perplexity`."""
    documents = pd.concat([read_table(path) for path in snakemake.input.documents], ignore_index=True)
    settings = {key.removeprefix("scores."): value for key, value in snakemake.params.scores.items()}
    table = with_groups(summarise(documents, **settings), snakemake.params.mask_sets, place=2)
    write_table(table, snakemake.output.table, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
