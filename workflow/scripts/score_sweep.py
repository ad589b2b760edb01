"""Score the mask sets of one sweep, and choose between them on half of the questions."""

from pathlib import Path
from typing import Any

import pandas as pd
from crane.artefacts import read_json, read_table, write_table
from crane.sweep_scores import score_sweep
from joblog import job_log, provenance

ITEM = [
    "model", "mask_set", "mask_language", "benchmark", "task", "doc_id", "doc_hash", "stratum", "cluster", "correct",
    "probability",
]  # fmt: skip


def main(snakemake: Any) -> None:
    """Run the rule `score_sweep`."""
    answers = [
        read_table(path, ITEM).rename(columns={"correct": "value"}) for path in snakemake.input.benchmarks
    ]
    counts = {
        Path(path).stem: {language: own["total"] for language, own in read_json(path).items()}
        for path in snakemake.input.summaries
    }
    points = snakemake.params.points
    settings = {key.removeprefix("scores."): value for key, value in snakemake.params.scores.items()}
    table = score_sweep(
        pd.concat(answers, ignore_index=True),
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
