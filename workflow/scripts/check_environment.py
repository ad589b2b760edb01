"""Import the packages that the rules of one environment need."""

from functools import partial
from typing import Any

from crane.preflight.checks import make, write_checks
from crane.preflight.environment import environment
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `check_environment`."""
    name = f"environment {snakemake.wildcards.environment}"
    write_checks(
        make([(name, partial(environment, list(snakemake.params.modules)))]), snakemake.output.checks
    )


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
