"""Draw the paper's Figure 4: drops per mask and benchmark of one model, beside LangSpec-F1."""

from typing import Any

from crane.artefacts import read_table
from crane.figures.drops import drop_heatmap
from crane.figures.style import Style, save
from crane.results.labels import Labels
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `plot_drop_heatmap`."""
    style = Style(**snakemake.params.figure)
    labels = Labels(**snakemake.params.labels)
    scores, langspec_f1 = read_table(snakemake.input.scores), read_table(snakemake.input.langspec_f1)
    model, suite = snakemake.wildcards.model, snakemake.wildcards.suite
    figure = drop_heatmap(scores, langspec_f1, labels, model, suite, style)
    save(figure, snakemake.output.pdf, snakemake.output.png, style)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
