"""Draw random neurons, as many per language and layer as another mask set has."""

from typing import Any

from crane.artefacts import read_table
from crane.neurons.neuron_set import NeuronSet
from crane.selection.random_like import random_like
from crane.selection.summary import write_mask_set
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `draw_random_neurons`."""
    model = NeuronSet.read_parquet(snakemake.input.match)
    width = int(read_table(snakemake.input.kurtosis, ["neuron"])["neuron"].max()) + 1
    neurons = random_like(model, width, snakemake.params.seed)
    write_mask_set(neurons, snakemake.output.neurons, snakemake.output.summary, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
