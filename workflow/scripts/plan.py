"""Print the estimated cost of a study, on the terminal and in the log."""

from typing import Any

from crane.artefacts import write_text
from crane.preflight.plan_table import render
from crane.study.study import Study

BESIDES = "Scores, tables, figures and the record are not listed: local jobs of seconds (`snakemake -n` counts them)."


def main(snakemake: Any) -> None:
    """Run the rule `plan`."""
    report = f"{render(Study(snakemake.params.config))}\n{BESIDES}"
    write_text(report + "\n", snakemake.log[0])
    print(report)


if __name__ == "__main__":
    main(snakemake)
