"""Write the table of the answers' languages, with drops split into switched and lost, in all its forms."""

from typing import Any

from crane.artefacts import read_table
from crane.names import OPEN_SUITE
from crane.results.labels import Labels
from crane.tables.judges import language_table
from crane.tables.rendering import write_forms
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `make_language_table`."""
    model = snakemake.wildcards.model
    table = language_table(
        read_table(snakemake.input.scores),
        Labels(**snakemake.params.labels),
        name=f"answer_language-{model}",
        suite=OPEN_SUITE,
        model=model,
    )
    write_forms(table, snakemake.output)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
