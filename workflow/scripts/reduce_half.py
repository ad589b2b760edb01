"""Merge every second shard of all languages into statistics per neuron, all layers in one table."""

from typing import Any

import pandas as pd
from crane.artefacts import write_table
from crane.relevance.merged import merged_table
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `reduce_half`."""
    params = snakemake.params
    files = {language: snakemake.input[language] for language in params.languages}
    layers = range(params.layers)
    tables = [merged_table(files, layer, params.site, params.routed_samples) for layer in layers]
    table = pd.concat(tables, ignore_index=True)
    print(table.groupby("language", sort=False)["count"].first().rename("samples").to_string())
    write_table(table, snakemake.output.table, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
