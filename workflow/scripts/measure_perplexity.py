"""Log-likelihood of every held-out document of every language, under every language's mask of one mask set."""

from typing import Any

import pandas as pd
import torch
from crane.artefacts import read_table, write_table
from crane.evaluation.engine import each_mask
from crane.evaluation.loading import open_engine
from crane.models.folders import identity
from crane.neurons.mean_values import intervention
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `measure_perplexity`."""
    torch.set_num_threads(snakemake.threads)
    languages = list(snakemake.params.languages)
    documents = {language: read_table(snakemake.input[language]) for language in languages}
    engine = open_engine(
        snakemake.params.engine,
        snakemake.input.model,
        dtype=snakemake.params.dtype,
        batch_size=snakemake.resources.batch_size,
        gpus=snakemake.resources.gpu,
    )
    how = intervention(snakemake.params.intervention, snakemake.input.means)
    frames = []
    for mask_language in each_mask(engine, snakemake.input.neurons or None, **how):
        for language, texts in documents.items():
            samples = [list(map(int, ids)) for ids in texts["input_ids"]]
            frame = pd.DataFrame(
                {
                    "model": snakemake.wildcards.model,
                    "mask_set": snakemake.wildcards.mask_set,
                    "mask_language": mask_language,
                    "language": language,
                    "sample_id": texts["sample_id"],
                    "text_sha256": texts["text_sha256"],
                    "tokens": [len(ids) - 1 for ids in samples],
                    "log_likelihood": engine.log_likelihoods(samples),
                }
            )
            mean = -frame["log_likelihood"].sum() / frame["tokens"].sum()
            print(f"mask {mask_language}: {language}, {mean:.4f} nats per token", flush=True)
            frames.append(frame)
    write_table(
        pd.concat(frames, ignore_index=True),
        snakemake.output.documents,
        provenance(snakemake, model=identity(snakemake.input.model)),
    )


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
