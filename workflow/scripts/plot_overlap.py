"""Draw how far the masks of languages and methods overlap."""

from typing import Any

from crane.artefacts import read_table
from crane.figures.stability import overlap
from crane.figures.style import Style, save
from crane.results.labels import Labels
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `plot_overlap`."""
    style = Style(**snakemake.params.figure)
    labels = Labels(**snakemake.params.labels, benchmarks={}, models={})
    figure = overlap(read_table(snakemake.input.overlap), labels, style)
    save(figure, snakemake.output.pdf, snakemake.output.png, style)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
