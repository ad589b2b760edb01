"""Fix the edges of every neuron's histograms by some samples of every language, passed forward through the model."""

from pathlib import Path
from typing import Any

import torch
from crane.artefacts import read_table
from crane.models.manifests import identity
from crane.relevance.accumulated_columns import BINS
from crane.relevance.bin_edges import LEAST_RANGE, measure_edges, pilot_samples, write_edges
from crane.relevance.placement import placed
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `freeze_bin_edges`."""
    torch.set_num_threads(snakemake.threads)
    params, speed = snakemake.params, snakemake.resources
    settings = {key.removeprefix("relevance."): value for key, value in params.relevance.items()}
    corpora = {
        Path(path).stem: read_table(path, ["input_ids"])["input_ids"] for path in snakemake.input.corpora
    }
    samples = pilot_samples(corpora, params.samples, params.seed)
    longest = max(map(len, samples))
    with placed(
        snakemake.input.model,
        settings["dtype"],
        longest=longest,
        batch_tokens=longest,
        sweep_tokens=longest,
        memory=speed.memory_gb * 1e9 or None,
    ) as (model, _, _):
        found = measure_edges(model, samples, skip_first=settings["skip_first"])
    for name, edges in found.edges.items():
        narrow = (edges[:, 1] - edges[:, 0] <= LEAST_RANGE * 1.001).float().mean()
        print(f"{name}: {BINS} bins between mean +- 4 standard deviations over {len(samples)} samples; {narrow:.2%} of "
              f"the neurons vary so little that the edges are {LEAST_RANGE:g} apart instead")  # fmt: skip
    metadata = provenance(snakemake, model=identity(snakemake.input.model), samples=len(samples))
    write_edges(found, snakemake.output.edges, metadata)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
