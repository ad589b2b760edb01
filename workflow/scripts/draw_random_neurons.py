"""Draw random neurons, as many per language and layer as another mask set has, for every seed."""

from typing import Any

from crane.artefacts import read_table
from crane.neurons.neuron_set import NeuronSet
from crane.selection.random_like import random_like
from crane.selection.summary import write_mask_set
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run a rule `draw_random_neurons_*`."""
    model = NeuronSet.read_parquet(snakemake.input.match)
    width = int(read_table(snakemake.input.kurtosis, ["neuron"])["neuron"].max()) + 1
    draws = zip(snakemake.params.seeds, snakemake.output.neurons, snakemake.output.summaries, strict=True)
    for seed, neurons, summary in draws:
        write_mask_set(random_like(model, width, seed), neurons, summary, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
