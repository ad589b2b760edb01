"""Draw the judge's scores of one model under every mask, with intervals."""

from typing import Any

from crane.artefacts import read_table
from crane.figures.judge_scores import judge_scores
from crane.figures.style import Style, save
from crane.names import OPEN_SUITE
from crane.results.labels import Labels
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `plot_judge_scores`."""
    style = Style(**snakemake.params.figure)
    labels = Labels(**snakemake.params.labels)
    scores = read_table(snakemake.input.scores)
    figure = judge_scores(scores, labels, snakemake.wildcards.model, OPEN_SUITE, style)
    save(figure, snakemake.output.pdf, snakemake.output.png, style)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
