"""Collect all answers into scores and LangSpec-F1, with intervals."""

from pathlib import Path
from typing import Any

import pandas as pd
from crane.artefacts import read_json, read_jsonl, read_table, write_table
from crane.scores.null_distribution import COLUMNS, against_random
from crane.scores.significance import over_masks
from crane.scores.summary import CHOICE_COLUMNS, choice_items, open_items, summarise
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `score_masks`."""
    answers = choice_items(read_table(path, CHOICE_COLUMNS) for path in snakemake.input.benchmarks)
    judged = [open_items(read_jsonl(path)) for path in snakemake.input.judgements]
    settings = {key.removeprefix("scores."): value for key, value in snakemake.params.scores.items()}
    scores, langspec_f1 = summarise(
        pd.concat([answers, *judged], ignore_index=True),
        snakemake.params.benchmarks,
        reference=snakemake.params.reference,
        **settings,
    )

    about = snakemake.params.mask_sets
    for frame in (scores, langspec_f1):
        frame["method"] = frame["mask_set"].map(lambda name: about[name]["method"])
        frame["label"] = frame["mask_set"].map(lambda name: about[name]["group"])
    summaries = {Path(path).stem: read_json(path) for path in snakemake.input.summaries}
    langspec_f1["neurons"] = [
        summaries[mask_set][language]["total"]
        for mask_set, language in zip(langspec_f1["mask_set"], langspec_f1["mask_language"], strict=True)
    ]
    scores["p_holm"] = over_masks(scores)
    layers = {
        name: {language: facts["layers"] for language, facts in summary.items()}
        for name, summary in summaries.items()
    }
    interventions = {name: settings["intervention"] for name, settings in about.items()}
    langspec_f1[COLUMNS] = against_random(langspec_f1, layers, interventions)
    write_table(scores, snakemake.output.scores, provenance(snakemake))
    write_table(langspec_f1, snakemake.output.langspec_f1, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
