"""Compare the masks between halves of the texts and with each other, and count neurons dominated by one sample."""

from pathlib import Path
from typing import Any

import pandas as pd
from crane.artefacts import read_table, write_table
from crane.neurons.neuron_set import NeuronSet
from crane.selection.stability import OUTLIER_COLUMNS, overlap, stability
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `measure_stability`."""
    masks = {Path(path).stem: NeuronSet.read_parquet(path) for path in snakemake.input.masks}
    statistics = pd.concat([read_table(path, OUTLIER_COLUMNS) for path in snakemake.input.kurtosis])
    groups, width = snakemake.params.groups, int(statistics["neuron"].max()) + 1
    measured = stability(
        masks,
        statistics,
        {Path(path).stem: read_table(path) for path in snakemake.input.halves},
        snakemake.params.selections,
        groups=groups,
        variants=snakemake.params.variants,
        site=snakemake.params.site,
    )
    print(measured.to_string())
    write_table(measured, snakemake.output.stability, provenance(snakemake))
    write_table(overlap(masks, groups, width), snakemake.output.overlap, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
