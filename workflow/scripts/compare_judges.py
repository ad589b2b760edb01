"""Write the table of agreement between the judges in all its forms."""

from typing import Any

from crane.artefacts import read_jsonl
from crane.tables.judges import agreement_table
from crane.tables.rendering import write_forms
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `compare_judges`."""
    judgements = (record for path in snakemake.input.judgements for record in read_jsonl(path))
    table = agreement_table(judgements, snakemake.params.judges)
    write_forms(table, snakemake.output)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
