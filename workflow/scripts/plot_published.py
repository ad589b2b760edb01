"""Draw the paper's numbers beside this run's."""

from typing import Any

from crane.artefacts import read_table
from crane.figures.published import published_figure
from crane.figures.style import Style, save
from crane.results.labels import Labels
from crane.results.published import beside, heading, printed
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `plot_published`."""
    style = Style(**snakemake.params.figure)
    labels, published = Labels(**snakemake.params.labels), snakemake.params.published
    model, scores = snakemake.wildcards.model, read_table(snakemake.input.scores)
    rows = beside(
        printed(snakemake.input.paper_scores, snakemake.input.paper_f1),
        scores,
        read_table(snakemake.input.langspec_f1),
        labels,
        published,
        model=model,
        suite=snakemake.wildcards.suite,
    )
    note = heading(labels, published, model, published["same_model"])[0].split(". ")[0].rstrip(".")
    sizes = scores.groupby("benchmark")["n"].first().to_dict()
    save(
        published_figure(rows, labels, note, sizes, style), snakemake.output.pdf, snakemake.output.png, style
    )


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
