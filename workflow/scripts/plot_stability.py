"""Draw how stable the masks are: halves of the texts, and single texts."""

from typing import Any

import pandas as pd
from crane.artefacts import read_table
from crane.figures.stability import stability
from crane.figures.style import Style, save
from crane.results.labels import Labels
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `plot_stability`."""
    style = Style(**snakemake.params.figure)
    labels = Labels(**snakemake.params.labels, benchmarks={}, models={})
    methods = pd.Series(snakemake.params.methods)
    measured = read_table(snakemake.input.stability)
    figure = stability(measured, labels, methods, snakemake.params.shards, style)
    save(figure, snakemake.output.pdf, snakemake.output.png, style)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
