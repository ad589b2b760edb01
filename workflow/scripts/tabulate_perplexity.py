"""Write the perplexity matrix of one model in all forms of a table."""

from typing import Any

from crane.artefacts import read_table
from crane.results.labels import Labels
from crane.tables.matrices import perplexity_matrix
from crane.tables.rendering import write_forms
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `tabulate_perplexity`."""
    table = perplexity_matrix(
        read_table(snakemake.input.table),
        Labels(**snakemake.params.labels),
        snakemake.wildcards.model,
        snakemake.params.resamples,
    )
    write_forms(table, snakemake.output)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
