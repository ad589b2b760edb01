"""Collect one model's results for one suite, the open questions or the held-out texts under one group of masks."""

from pathlib import Path
from typing import Any

import pandas as pd
from crane.artefacts import ArtefactError, read_json, read_metadata, read_table, write_table
from crane.evaluation import collect
from crane.models.manifests import identity
from crane.parts import PartStore
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `collect_answers`."""
    store = PartStore(snakemake.params.store)
    frames = []
    for path in snakemake.input.receipts:
        for mask_language, keys in read_json(path).items():
            for prompts_path, (name, (kind, label)) in zip(
                snakemake.input.prompts, snakemake.params.prompts.items(), strict=True
            ):
                try:
                    part = store.read(keys[name])
                except ArtefactError:
                    Path(path).unlink()  # the next run computes what is missing, and writes the receipt anew
                    raise
                dropped = read_metadata(prompts_path).get("dropped", 0)
                frame = collect.TABLES[kind](read_table(prompts_path), part, dropped)
                if kind == "choices":
                    frame.insert(0, "benchmark", label)
                elif kind == "texts":
                    frame.insert(0, "language", label)
                frame.insert(0, "mask_language", mask_language)
                frame.insert(0, "mask_set", Path(path).parent.name)
                frames.append(frame)
    answers = pd.concat(frames, ignore_index=True)
    answers.insert(0, "model", snakemake.wildcards.model)
    counts = {"thoughts": int(answers["thoughts"].notna().sum())} if "thoughts" in answers else {}
    if counts.get("thoughts"):
        print(f"{counts['thoughts']} of {len(answers)} answers begin with thoughts, which are not judged")
    about = provenance(snakemake, model=identity(snakemake.input.model), **counts)
    write_table(answers, snakemake.output.answers, about)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
