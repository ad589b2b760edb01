"""What Snakemake (9.27) remembers of jobs, where that would let it rerun too much, or too little.

A job that Snakemake reruns for its own sake (changed params, changed or newer input) keeps it from looking at the jobs
below: it takes them for reruns, whatever has changed in them. Between `evaluate_masks` and `collect_answers`, whose
input is `ancient`, they are none, and a table whose own settings have changed in the meantime would stay as it was.

Imported by the Snakefile on every node, so nothing heavy is imported here.
"""

import sys
from collections import Counter
from typing import Any

TOGETHER = "together"
"""Name of the output of `evaluate_masks` that stands for all mask sets of the job."""


def tidy_records(workflow: Any) -> None:
    """Forget how mask sets were grouped, and say what Snakemake has passed over.

    Args:
        workflow: Snakemake's workflow, after a run.
    """
    forget_groupings(workflow)
    if left := passed_over(workflow):
        print(
            f"Out of date, and passed over by Snakemake because a job before them ran again: {', '.join(left)} "
            f"({left.total()} in all). Run the same command once more.",
            file=sys.stderr,
        )


def forget_groupings(workflow: Any) -> None:
    """Delete the records of which mask sets shared a job.

    Without them Snakemake does not compare the mask sets of a job with those of a run in which they were grouped
    otherwise, as with and without sweeps. The receipts' names hold what decides their content.

    Args:
        workflow: as in `tidy_records`.
    """
    for job in workflow.dag.jobs:
        if TOGETHER in job.output.keys():  # noqa: SIM118 - Snakemake's list of named files is no mapping
            workflow.persistence.cleanup_metadata(job.output[TOGETHER])


def passed_over(workflow: Any) -> Counter[str]:
    """Return rule -> number of its jobs that a run left out although their params, a hash of their code included, have
    changed; none where Snakemake was told not to look at params (`rerun-triggers`).

    Args:
        workflow: as in `tidy_records`.
    """
    if "params" not in {str(trigger) for trigger in workflow.rerun_triggers}:
        return Counter()
    dag, records = workflow.dag, workflow.persistence
    left = (job for job in dag.jobs if not dag.needrun(job) and records.has_metadata(job))
    return Counter(job.rule.name for job in left if records.params_changed(job))
