"""Import masks from a file: LAPE's published `.pth`, or a mask set of this workflow."""

from pathlib import Path
from typing import Any

from crane.neurons.neuron_set import NeuronSet
from crane.selection.summary import write_mask_set
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `import_neurons`."""
    path = Path(snakemake.input.file)
    if path.suffix == ".pth":
        neurons = NeuronSet.read_lape(path, snakemake.params.selection["languages"])
    else:
        neurons = NeuronSet.read_parquet(path)
    neurons = neurons.restricted(snakemake.params.languages, **snakemake.params.shape)
    write_mask_set(neurons, snakemake.output.neurons, snakemake.output.summary, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
