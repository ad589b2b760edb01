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
    perplexity, contrasts = summarise(documents, **settings)
    groups = snakemake.params.mask_sets
    write_table(with_groups(perplexity, groups, place=2), snakemake.output.table, provenance(snakemake))
    write_table(with_groups(contrasts, groups), snakemake.output.contrasts, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
