"""Merge shards of all languages into the table of statistics per neuron, for one layer or all."""

from typing import Any

import pandas as pd
from crane.artefacts import write_table
from crane.relevance.shards import merge_layer
from crane.relevance.statistics import layer_table
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `reduce_kurtosis` or `reduce_half`."""
    layers = []
    for layer in snakemake.params.layers:
        statistics = {
            language: merge_layer(snakemake.input[language], layer) for language in snakemake.params.languages
        }
        layers.append(layer_table(statistics, layer, snakemake.params.site))
    table = pd.concat(layers, ignore_index=True)
    for language, rows in table.groupby("language", sort=False):
        undefined = int(rows["kurtosis"].isna().sum())
        outliers = int((rows["outlier_share"] > 0.5).sum())
        print(f"{language}: {rows['count'].iloc[0]} samples; {undefined} of {len(rows)} neurons without variance; "
              f"{outliers} may owe more than half of their fourth moment to one sample")  # fmt: skip
    write_table(table, snakemake.output.table, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
