"""Write where every mask set's LangSpec-F1 lies among random mask sets, in all forms of a table."""

from pathlib import Path
from typing import Any

from crane.artefacts import read_table
from crane.results.labels import Labels
from crane.tables.evidence import null_distribution
from crane.tables.rendering import write_forms
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `make_null_distribution`."""
    table = null_distribution(
        read_table(snakemake.input.langspec_f1),
        Labels(**snakemake.params.labels),
        name=Path(snakemake.output.csv).stem,
        suite=snakemake.wildcards.suite,
    )
    write_forms(table, snakemake.output)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
