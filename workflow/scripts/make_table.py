"""Write one of the paper's tables in all its forms."""

from typing import Any

from crane.artefacts import read_table
from crane.results.labels import Labels
from crane.tables.paper import score_table
from crane.tables.rendering import write_forms
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `make_table`."""
    table = score_table(
        read_table(snakemake.input.scores),
        read_table(snakemake.input.langspec_f1),
        Labels(**snakemake.params.labels),
        name=snakemake.wildcards.table,
        **snakemake.params.table,
    )
    write_forms(table, snakemake.output)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
