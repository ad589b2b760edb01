"""Check the GPU of the node that this job runs on."""

from functools import partial
from typing import Any

from crane.costs import parameters
from crane.preflight import gpu, make, write_checks
from crane.study import Study
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `check_gpu`."""
    study = Study(snakemake.params.config)
    dtype = study.config["relevance"]["dtype"]
    weights = parameters(study, study.identification_model) * (4 if dtype == "float32" else 2)
    write_checks(make([("gpu", partial(gpu, weights, dtype))]), snakemake.output.checks)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
