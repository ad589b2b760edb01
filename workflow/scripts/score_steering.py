"""Identify the languages of steered answers, and compare them, known answers and texts with the unmasked model's."""

from typing import Any

import pandas as pd
from crane.artefacts import read_table, write_table
from crane.judging.answer_language import LanguageIdentifier
from crane.scores.mask_sets import with_groups
from crane.scores.steering import summarise
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `score_steering`."""
    params = snakemake.params
    answers, known, texts = (
        pd.concat([read_table(path) for path in paths], ignore_index=True)
        for paths in (snakemake.input.answers, snakemake.input.known, snakemake.input.texts)
    )
    table = summarise(answers, known, texts, params.pairs, LanguageIdentifier(params.languages))
    table.insert(0, "model", params.model)
    print(table.to_string())
    write_table(with_groups(table, params.mask_sets), snakemake.output.steering, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
