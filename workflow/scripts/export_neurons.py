"""Write a mask set in LAPE's published format, together with the names of its languages."""

from typing import Any

from crane.artefacts import write_json
from crane.neurons.neuron_set import NeuronSet
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `export_neurons`."""
    neurons, languages = NeuronSet.read_parquet(snakemake.input.neurons), snakemake.params.languages
    description = {
        "languages": languages,
        "layers": neurons.layers,
        "site": neurons.site,
        **provenance(snakemake),
    }
    neurons.write_lape(snakemake.output.pth, languages)
    write_json(description, snakemake.output.about)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
