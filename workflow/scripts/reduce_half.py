"""Merge every second shard of all languages into statistics per neuron, all layers in one table."""

from typing import Any

import pandas as pd
from crane.artefacts import write_table
from crane.relevance.shards import merge_layer
from crane.relevance.statistics import layer_table
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `reduce_half`."""
    params, layers = snakemake.params, []
    languages = params.languages
    for layer in range(params.layers):
        statistics = {language: merge_layer(snakemake.input[language], layer) for language in languages}
        layers.append(layer_table(statistics, layer, params.site, params.routed_samples))
    table = pd.concat(layers, ignore_index=True)
    print(table.groupby("language", sort=False)["count"].first().rename("samples").to_string())
    write_table(table, snakemake.output.table, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
