"""Write the tests of every mask's drops in all forms of a table."""

from pathlib import Path
from typing import Any

from crane.artefacts import read_table
from crane.results.labels import Labels
from crane.tables.evidence import drop_tests
from crane.tables.rendering import write_forms
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `make_drop_tests`."""
    table = drop_tests(
        read_table(snakemake.input.scores),
        Labels(**snakemake.params.labels),
        name=Path(snakemake.output.csv).stem,
        model=snakemake.wildcards.model,
        suite=snakemake.wildcards.suite,
    )
    write_forms(table, snakemake.output)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
