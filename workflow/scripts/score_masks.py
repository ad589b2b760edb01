"""Turn all answers into scores, LangSpec-F1 and contrasts between languages, with intervals."""

from pathlib import Path
from typing import Any

import pandas as pd
from crane.artefacts import read_json, read_jsonl, read_table, write_table
from crane.scores.mask_sets import with_groups, with_null, with_tests
from crane.scores.summary import CHOICE_COLUMNS, choice_items, open_items, summarise
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `score_masks`."""
    answers = [choice_items(read_table(path, CHOICE_COLUMNS) for path in snakemake.input.benchmarks)]
    answers += [open_items(read_jsonl(path)) for path in snakemake.input.judgements]
    settings = {key.removeprefix("scores."): value for key, value in snakemake.params.scores.items()}
    scores, langspec_f1, contrasts = summarise(
        pd.concat(answers, ignore_index=True),
        snakemake.params.benchmarks,
        reference=snakemake.params.reference,
        **settings,
    )
    groups = snakemake.params.mask_sets
    summaries = {Path(path).stem: read_json(path) for path in snakemake.input.summaries}
    write_table(with_tests(scores, groups), snakemake.output.scores, provenance(snakemake))
    effects = with_null(langspec_f1, groups, summaries)
    write_table(effects, snakemake.output.langspec_f1, provenance(snakemake))
    write_table(with_groups(contrasts, groups), snakemake.output.contrasts, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
