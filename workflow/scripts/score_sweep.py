"""Score the mask sets of one sweep, and choose between them on half of the questions."""

from pathlib import Path
from typing import Any

from crane.artefacts import read_json, read_table, write_table
from crane.names import ORIGINAL
from crane.scores.summary import CHOICE_COLUMNS, choice_items
from crane.scores.sweeps import score_sweep
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `score_sweep`."""
    points = snakemake.params.points
    wanted = {ORIGINAL, *(point["mask_set"] for point in points)}
    answers = choice_items(read_table(path, CHOICE_COLUMNS) for path in snakemake.input.benchmarks)
    answers = answers[answers["mask_set"].isin(wanted)]
    counts = {
        Path(path).stem: {language: facts["total"] for language, facts in read_json(path).items()}
        for path in snakemake.input.summaries
    }
    settings = {key.removeprefix("scores."): value for key, value in snakemake.params.scores.items()}
    table = score_sweep(
        answers,
        snakemake.params.benchmarks,
        points,
        {point["mask_set"]: counts[point["neurons_of"]] for point in points},
        halves=snakemake.params.halves,
        **settings,
    )
    write_table(table, snakemake.output.table, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
