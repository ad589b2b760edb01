"""Select each language's neurons from the tables of statistics, by the method of the mask set."""

from typing import Any

import pandas as pd
from crane.artefacts import read_table
from crane.neurons.neuron_set import NeuronSet
from crane.selection.choose import choose, columns
from crane.selection.summary import write_mask_set
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `select_neurons`."""
    settings, languages = snakemake.params.selection, snakemake.params.languages
    table = pd.concat([read_table(path, columns(settings)) for path in snakemake.input.kurtosis])
    counts = None
    if snakemake.input.match:
        match = NeuronSet.read_parquet(snakemake.input.match)
        counts = {language: match.total(language) for language in languages}
    neurons, facts = choose(table, settings, languages, site=snakemake.params.site, counts=counts)
    write_mask_set(
        neurons, snakemake.output.neurons, snakemake.output.summary, provenance(snakemake), **facts
    )


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
