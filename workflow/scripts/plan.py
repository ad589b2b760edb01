"""Print the estimated cost of a study, on the terminal and in the log."""

from typing import Any

from crane.artefacts import write_text
from crane.preflight.plan_table import relevance_line, render
from crane.study.study import Study

BESIDES = "Scores, tables, figures and the record are not listed: local jobs of seconds (`snakemake -n` counts them)."


def main(snakemake: Any) -> None:
    """Run the rule `plan`."""
    study = Study(snakemake.params.config)
    report = f"{render(study)}\n{relevance_line(study)}\n{BESIDES}"
    write_text(report + "\n", snakemake.log[0])
    print(report)


if __name__ == "__main__":
    main(snakemake)
