"""Write the differences of LangSpec-F1 between mask sets in all forms of a table."""

from pathlib import Path
from typing import Any

from crane.artefacts import read_table
from crane.results.labels import Labels
from crane.tables.evidence import f1_differences
from crane.tables.rendering import write_forms
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `make_f1_differences`."""
    table = f1_differences(
        read_table(snakemake.input.langspec_f1),
        Labels(**snakemake.params.labels),
        name=Path(snakemake.output.csv).stem,
        suite=snakemake.wildcards.suite,
        **snakemake.params.table,
    )
    write_forms(table, snakemake.output)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
