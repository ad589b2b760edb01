"""Write how stable the masks are, in all forms of a table."""

from typing import Any

from crane.artefacts import read_table
from crane.results.labels import Labels
from crane.tables.rendering import write_forms
from crane.tables.stability import stability_table
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `make_stability_table`."""
    labels = Labels(**snakemake.params.labels, benchmarks={}, models={})
    stability = read_table(snakemake.input.stability)
    table = stability_table(stability, labels, shards=snakemake.params.shards)
    write_forms(table, snakemake.output)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
