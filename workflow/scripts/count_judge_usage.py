"""Write the table of what the judges used in all its forms."""

from typing import Any

from crane.artefacts import read_jsonl
from crane.tables.judges import usage_table
from crane.tables.rendering import write_forms
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `count_judge_usage`."""
    judgements = (record for path in snakemake.input.judgements for record in read_jsonl(path))
    table = usage_table(judgements, snakemake.params.judges, snakemake.params.prices)
    write_forms(table, snakemake.output)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
