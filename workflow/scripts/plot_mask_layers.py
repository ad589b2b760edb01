"""Draw how the masks are distributed over the layers."""

from typing import Any

import pandas as pd
from crane.figures.stability import mask_layers
from crane.figures.style import Style, save
from crane.results.labels import Labels
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `plot_mask_layers`."""
    style = Style(**snakemake.params.figure)
    labels = Labels(**snakemake.params.labels, benchmarks={}, models={})
    methods = pd.Series(snakemake.params.methods)
    figure = mask_layers(pd.read_csv(snakemake.input.counts), labels, methods, style)
    save(figure, snakemake.output.pdf, snakemake.output.png, style)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
