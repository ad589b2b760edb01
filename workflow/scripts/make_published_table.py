"""Write the paper's numbers beside this run's, in all forms of a table."""

from pathlib import Path
from typing import Any

from crane.artefacts import read_table
from crane.results.labels import Labels
from crane.results.published import beside, printed
from crane.tables.published import published_table
from crane.tables.rendering import write_forms
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `make_published_table`."""
    labels, published = Labels(**snakemake.params.labels), snakemake.params.published
    where = {"model": snakemake.wildcards.model, "suite": snakemake.wildcards.suite}
    rows = beside(
        printed(snakemake.input.paper_scores, snakemake.input.paper_f1),
        read_table(snakemake.input.scores),
        read_table(snakemake.input.langspec_f1),
        labels,
        published,
        **where,
    )
    name = Path(snakemake.output.csv).stem
    table = published_table(rows, labels, published, name=name, same_model=published["same_model"], **where)
    write_forms(table, snakemake.output)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
