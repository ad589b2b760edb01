"""Write how far the masks overlap, in all forms of a table."""

from typing import Any

from crane.artefacts import read_table
from crane.results.labels import Labels
from crane.tables.rendering import write_forms
from crane.tables.stability import overlap_table
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `make_overlap_table`."""
    labels = Labels(**snakemake.params.labels, benchmarks={}, models={})
    table = overlap_table(read_table(snakemake.input.overlap), labels)
    write_forms(table, snakemake.output)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
