"""Write the table of one sweep in all its forms."""

from typing import Any

from crane.artefacts import read_table
from crane.results.labels import Labels
from crane.tables.rendering import write_forms
from crane.tables.sweeps import sweep_table
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `tabulate_sweep`."""
    table = sweep_table(
        read_table(snakemake.input.table),
        Labels(**snakemake.params.labels),
        sweep=snakemake.wildcards.sweep,
        suite=snakemake.params.suite,
        resamples=snakemake.params.resamples,
    )
    write_forms(table, snakemake.output)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
