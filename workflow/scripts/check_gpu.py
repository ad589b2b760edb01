"""Check the GPU of the node on which this job runs."""

from typing import Any

from crane.preflight.checks import make, write_checks
from crane.preflight.machine import gpu
from crane.study.study import Study
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `check_gpu`."""
    study = Study(snakemake.params.config)
    write_checks(make([("gpu", lambda: gpu(study))]), snakemake.output.checks)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
