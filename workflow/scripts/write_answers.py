"""Write what the study answers: a table of verdicts in all its forms, and sentences for the report's first page."""

from typing import Any

from crane.artefacts import read_table, write_text
from crane.results.arguments import read, read_facts
from crane.results.labels import Labels
from crane.results.lengths import length_warning
from crane.tables.answers import answers_table, page
from crane.tables.rendering import write_forms
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `write_answers`."""
    table = answers_table(
        read(snakemake.input.contrasts),
        read(snakemake.input.summaries),
        snakemake.params.mask_sets,
        Labels(**snakemake.params.labels),
        read_table(snakemake.input.stability),
        **{name: read_table(path) for name, path in snakemake.input.items() if name == "sampled_null"},
        random=snakemake.params.get("random", {}),
    )
    sentences = page(table)
    if warning := length_warning(read_facts(snakemake.input.get("of_unequal_length", []))):
        table = table._replace(notes=[*table.notes, warning])
        sentences = f"* {warning}\n{sentences}"
    write_forms(table, "answers", snakemake.output)
    write_text(sentences, snakemake.output.page)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
