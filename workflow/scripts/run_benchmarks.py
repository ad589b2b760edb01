"""Ask one model all questions of one suite, under every language's mask of one mask set."""

from typing import Any

import pandas as pd
import torch
from crane.artefacts import write_table
from crane.evaluation import benchmarks
from crane.evaluation.engine import each_mask
from crane.evaluation.loading import open_engine
from crane.models.folders import identity
from crane.neurons.mean_values import intervention
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `run_benchmarks`."""
    torch.set_num_threads(snakemake.threads)
    settings = snakemake.params.benchmarks
    loaded = {name: benchmarks.load(name, settings[name]) for name in settings}
    engine = open_engine(
        snakemake.params.engine,
        snakemake.input.model,
        dtype=snakemake.params.dtype,
        batch_size=snakemake.resources.batch_size,
        gpus=snakemake.resources.gpu,
    )
    lm = engine.lm()
    how = intervention(snakemake.params.intervention, snakemake.input.means)
    frames = []
    for mask_language in each_mask(engine, snakemake.input.neurons or None, **how):
        for name, tasks in loaded.items():
            frame = benchmarks.run(lm, tasks, settings[name])
            print(f"mask {mask_language}: {name} {frame['correct'].mean():.4f} of {len(frame)}", flush=True)
            frame.insert(0, "benchmark", name)
            frame.insert(0, "mask_language", mask_language)
            frames.append(frame)
    answers = pd.concat(frames, ignore_index=True)
    answers.insert(0, "mask_set", snakemake.wildcards.mask_set)
    answers.insert(0, "model", snakemake.wildcards.model)
    write_table(
        answers, snakemake.output.answers, provenance(snakemake, model=identity(snakemake.input.model))
    )


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
