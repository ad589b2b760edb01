"""Draw the paper's Figure 3: kurtosis under one language against the others, per layer."""

from typing import Any

import pandas as pd
from crane.artefacts import read_table
from crane.figures.kurtosis_contrast import kurtosis_contrast
from crane.figures.style import Style, save
from joblog import job_log

NEURON = ["language", "layer", "site", "neuron"]


def main(snakemake: Any) -> None:
    """Run the rule `plot_kurtosis_contrast`."""
    style = Style(**snakemake.params.figure)
    kurtosis = pd.concat([read_table(path, [*NEURON, "z"]) for path in snakemake.input.kurtosis])
    selected = read_table(snakemake.input.masks, NEURON)
    threshold, languages = snakemake.params.threshold, snakemake.params.labels["languages"]
    figure = kurtosis_contrast(kurtosis, threshold, languages, selected, style)
    save(figure, snakemake.output.pdf, snakemake.output.png, style)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
