"""After a run: groupings are forgotten, and jobs that Snakemake has passed over are told."""

from types import SimpleNamespace
from typing import Any

import pytest
from crane.provenance.rerun_records import passed_over, tidy_records

UP_TO_DATE, CHANGED, RUN, UNRECORDED, GROUPING = "plot", "tabulate", "score", "select", "evaluate"


class Records:
    """What Snakemake has recorded of the jobs' outputs."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    def cleanup_metadata(self, path: str) -> None:
        self.forgotten.append(path)

    def has_metadata(self, job: Any) -> bool:
        return job.rule.name != UNRECORDED and job.output.get("together") not in self.forgotten

    def params_changed(self, job: Any) -> bool:
        return job.rule.name in (CHANGED, RUN, UNRECORDED, GROUPING)


def workflow(*triggers: str) -> Any:
    jobs = [
        SimpleNamespace(rule=SimpleNamespace(name=name), output={"table": name}, key=number)
        for number, name in enumerate((UP_TO_DATE, CHANGED, CHANGED, RUN, UNRECORDED))
    ]
    jobs.append(SimpleNamespace(rule=SimpleNamespace(name=GROUPING), output={"together": "a.txt"}, key=9))
    dag = SimpleNamespace(jobs=jobs, needrun=lambda job: job.rule.name == RUN)
    return SimpleNamespace(dag=dag, persistence=Records(), rerun_triggers=triggers)


def test_what_has_changed_and_was_not_run_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    run = workflow("mtime", "params")
    tidy_records(run)
    assert run.persistence.forgotten == ["a.txt"]
    said = capsys.readouterr().err
    assert "tabulate (2 in all). Run the same command once more." in said
    assert not [name for name in (UP_TO_DATE, RUN, UNRECORDED, GROUPING) if name in said.split(": ")[1]]


def test_whoever_looks_at_times_only_is_told_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run = workflow("mtime")
    tidy_records(run)
    assert passed_over(run).total() == 0 and capsys.readouterr().err == ""
