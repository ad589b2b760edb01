"""Draw LangSpec-F1 and drops along one sweep."""

from typing import Any

from crane.artefacts import read_table
from crane.figures.style import Style, save
from crane.figures.sweeps import draw
from crane.results.labels import Labels
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `plot_sweep`."""
    style = Style(**snakemake.params.figure)
    labels = Labels(**snakemake.params.labels)
    table = read_table(snakemake.input.table)
    figure = draw(table, labels, snakemake.wildcards.sweep, snakemake.params.suite, style)
    save(figure, snakemake.output.pdf, snakemake.output.png, style)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
