"""Write the matrix of drops, mask language by benchmark, of one model and suite in all forms of a table."""

from typing import Any

from crane.artefacts import read_table
from crane.results.labels import Labels
from crane.tables.matrices import drop_matrix
from crane.tables.rendering import write_forms
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `tabulate_drops`."""
    table = drop_matrix(
        read_table(snakemake.input.scores),
        Labels(**snakemake.params.labels),
        snakemake.wildcards.model,
        snakemake.wildcards.suite,
        snakemake.params.resamples,
    )
    write_forms(table, snakemake.output)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
