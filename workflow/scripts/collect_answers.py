"""Collect one model's results for one suite, the open questions or the held-out texts: a table per group of masks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from crane.artefacts import ArtefactError, read_json, read_metadata, read_table, write_table
from crane.evaluation import collect
from crane.models.manifests import identity
from crane.parts import PartStore
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run a rule `collect_answers_*`."""
    store = PartStore(snakemake.params.store)
    prompts = [
        (read_table(path), read_metadata(path).get("dropped", 0), name, kind, label)
        for path, (name, (kind, label)) in zip(
            snakemake.input.prompts, snakemake.params.prompts.items(), strict=True
        )
    ]
    receipts = {Path(path).parent.name: Path(path) for path in snakemake.input.receipts}
    for target, (group, members) in zip(
        snakemake.output.answers, snakemake.params.groups.items(), strict=True
    ):
        frames = [frame for mask_set in members for frame in _answers(store, receipts[mask_set], prompts)]
        answers = pd.concat(frames, ignore_index=True)
        answers.insert(0, "model", snakemake.wildcards.model)
        counts = {"thoughts": int(answers["thoughts"].notna().sum())} if "thoughts" in answers else {}
        if counts.get("thoughts"):
            print(
                f"{group}: {counts['thoughts']} of {len(answers)} answers begin with thoughts, which are not judged"
            )
        about = provenance(snakemake, model=identity(snakemake.input.model), group=group, **counts)
        write_table(answers, target, about)


def _answers(store: PartStore, receipt: Path, prompts: list[tuple[Any, ...]]) -> Iterator[pd.DataFrame]:
    """Yield the answers under the masks of one mask set, for each mask and file of prompts."""
    for mask_language, keys in read_json(receipt).items():
        for asked, dropped, name, kind, label in prompts:
            try:
                part = store.read(keys[name])
            except ArtefactError:
                receipt.unlink()  # the next run computes what is missing, and writes the receipt anew
                raise
            frame = collect.TABLES[kind](asked, part, dropped)
            if kind == "choices":
                frame.insert(0, "benchmark", label)
            elif kind == "texts":
                frame.insert(0, "language", label)
            frame.insert(0, "mask_language", mask_language)
            frame.insert(0, "mask_set", receipt.parent.name)
            yield frame


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
