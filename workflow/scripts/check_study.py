"""Check the models, data, keys, partitions and disk of a study."""

from functools import partial
from typing import Any

from crane.preflight.checks import Named, make, write_checks
from crane.preflight.evidence import selection_null
from crane.preflight.machine import disk, partitions
from crane.preflight.sources import judges, sources
from crane.study.study import Study
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `check_study`."""
    study = Study(snakemake.params.config)
    checks: list[Named] = [
        *sources(study),
        *judges(study),
        ("selection null", partial(selection_null, study)),
    ]
    checks.append(("disk", partial(disk, study)))
    if snakemake.params.partitions:
        asked = dict(snakemake.params.partitions), dict(snakemake.params.runtimes)
        checks.append(("partitions", partial(partitions, *asked)))
    write_checks(make(checks), snakemake.output.checks)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
