"""Draw one figure as PDF and PNG: the function that the rule names, on the rule's inputs."""

from typing import Any

from crane.figures.style import Style, save
from crane.results.arguments import arguments, named
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run a rule `plot_*`."""
    function = named(snakemake.params.function)
    params = dict(snakemake.params.items())
    style = Style(**params.pop("style"))
    inputs, wildcards = (dict(part.items()) for part in (snakemake.input, snakemake.wildcards))
    figure = function(**arguments(function, inputs, wildcards, params), style=style)
    save(figure, snakemake.output.pdf, snakemake.output.png, style)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
