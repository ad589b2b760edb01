"""Draw the paper's Figure 6: target-language scores from model to model under the same masks."""

from typing import Any

from crane.artefacts import read_table
from crane.figures.style import Style, save
from crane.figures.transfer import transfer
from crane.results.labels import Labels
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `plot_transfer`."""
    style = Style(**snakemake.params.figure)
    labels = Labels(**snakemake.params.labels)
    figure = transfer(read_table(snakemake.input.scores), labels, snakemake.wildcards.suite, style)
    save(figure, snakemake.output.pdf, snakemake.output.png, style)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
