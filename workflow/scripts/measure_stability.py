"""Compare the masks with those of half the texts, with each other, and with what single samples explain."""

from pathlib import Path
from typing import Any

import pandas as pd
from crane.artefacts import read_table, write_table
from crane.neurons.neuron_set import NeuronSet
from crane.selection.stability import outliers, overlap, split_half
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `measure_stability`."""
    masks = {Path(path).stem: NeuronSet.read_parquet(path) for path in snakemake.input.masks}
    columns = ["language", "layer", "neuron", "outlier_share"]
    kurtosis = pd.concat([read_table(path, columns) for path in snakemake.input.kurtosis])
    width = int(kurtosis["neuron"].max()) + 1
    stability = outliers(kurtosis, masks)
    # Their kurtosis is that of another relevance run.
    stability.loc[stability["mask_set"].isin(snakemake.params.variants), ["outliers", "outlier_share"]] = None
    if snakemake.input.halves:
        tables = {Path(path).stem: read_table(path) for path in snakemake.input.halves}
        halves = split_half(tables, snakemake.params.selections, masks, width, snakemake.params.site)
        stability = stability.merge(
            halves, on=["mask_set", "mask_language"], how="left", validate="one_to_one"
        )
    groups = snakemake.params.groups
    stability.insert(1, "label", stability["mask_set"].map(groups))
    print(stability.to_string())
    write_table(stability, snakemake.output.stability, provenance(snakemake))
    write_table(overlap(masks, groups, width), snakemake.output.overlap, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
