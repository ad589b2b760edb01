"""Select each language's neurons by LAPE, as published or cut to another mask set's counts."""

from typing import Any

import pandas as pd
from crane.artefacts import read_table
from crane.neurons.neuron_set import NeuronSet
from crane.selection.choose import choose, columns
from crane.selection.summary import write_mask_set
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `select_lape_neurons`."""
    settings, languages = snakemake.params.selection, snakemake.params.languages
    table = pd.concat([read_table(path, columns(settings)) for path in snakemake.input.kurtosis])
    counts = None
    if settings["method"] == "lape_matched":
        model = NeuronSet.read_parquet(snakemake.input.match)
        counts = {language: model.total(language) for language in languages}
    neurons, more = choose(table, settings, languages, counts=counts)
    write_mask_set(neurons, snakemake.output.neurons, snakemake.output.summary, provenance(snakemake), **more)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
