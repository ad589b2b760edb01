"""Select each language's neurons by LAPE, as published or cut to another mask set's counts."""

from typing import Any

import pandas as pd
from crane.artefacts import read_table
from crane.kurtosis import activations
from crane.mask_files import write_mask_set
from crane.neurons import NeuronSet
from crane.select import lape, lape_matched
from joblog import job_log, provenance

COLUMNS = ["language", "layer", "neuron", "active", "tokens"]


def main(snakemake: Any) -> None:
    """Run the rule `select_lape_neurons`."""
    settings, languages = dict(snakemake.params.selection), snakemake.params.languages
    table = pd.concat([read_table(path, COLUMNS) for path in snakemake.input.kurtosis])
    counters = activations(table, languages)
    method = settings.pop("method")
    if method == "lape":
        neurons, more = lape(*counters, languages, **settings), {}
    else:
        model = NeuronSet.read_parquet(snakemake.input.match)
        counts = {language: model.total(language) for language in languages}
        del settings["match"]
        neurons, beyond = lape_matched(*counters, languages, counts, **settings)
        more = {"beyond_the_published_rule": beyond}
    write_mask_set(neurons, snakemake.output.neurons, snakemake.output.summary, provenance(snakemake), **more)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
