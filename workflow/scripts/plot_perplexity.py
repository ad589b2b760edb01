"""Draw the perplexity matrices of one model."""

from typing import Any

from crane.artefacts import read_table
from crane.figures.perplexity import perplexity_heatmap
from crane.figures.style import Style, save
from crane.results.labels import Labels
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `plot_perplexity`."""
    style = Style(**snakemake.params.figure)
    labels = Labels(**snakemake.params.labels)
    figure = perplexity_heatmap(read_table(snakemake.input.table), labels, snakemake.wildcards.model, style)
    save(figure, snakemake.output.pdf, snakemake.output.png, style)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
