"""Draw LangSpec-F1 of every mask set against the range of the random seeds."""

from typing import Any

from crane.artefacts import read_table
from crane.figures.random_band import random_band
from crane.figures.style import Style, save
from crane.results.labels import Labels
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `plot_random_band`."""
    style = Style(**snakemake.params.figure)
    labels = Labels(**snakemake.params.labels)
    figure = random_band(read_table(snakemake.input.langspec_f1), labels, snakemake.wildcards.suite, style)
    save(figure, snakemake.output.pdf, snakemake.output.png, style)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
