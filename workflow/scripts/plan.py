"""Print what a study will cost, on the terminal and in the log."""

from typing import Any

from crane.artefacts import write_text
from crane.costs import estimate, render
from crane.study import Study


def main(snakemake: Any) -> None:
    """Run the rule `plan`."""
    report = render(estimate(Study(snakemake.params.config)))
    write_text(report + "\n", snakemake.log[0])
    print(report)


if __name__ == "__main__":
    main(snakemake)
