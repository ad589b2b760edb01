"""The small study on a cluster: where its jobs ran, and that its results equal those of one machine."""

import pandas as pd
import pytest
from crane.artefacts import read_table
from support.slurm_study import LANGUAGES, SHARDS, Study, rule_of, tensors
from support.workspace import Workspace

pytestmark = pytest.mark.slow
LIMITS = {
    **{f"attribute_relevance_{shard}": "02:00:00" for shard in range(SHARDS)},
    "evaluate_masks_base_0": "06:00:00",  # original and crane
    "evaluate_masks_base_1": "06:00:00",  # dispersion
}
"""Time of the rules that need a GPU."""


def test_an_interrupted_driver_takes_its_jobs_with_it(study: Study) -> None:
    assert study.interrupted == set()
    assert study.partial == []
    cancelled = [job for job in study.jobs if job["JobState"] == "CANCELLED"]
    assert {rule_of(job) for job in cancelled} & LIMITS.keys()
    # SLURM names the host of a batch job from its start on.
    ran = {rule_of(job) for job in cancelled if "BatchHost" in job}
    assert any(rule.startswith("attribute_relevance_") for rule in ran)


def test_the_second_driver_submits_only_what_is_missing(study: Study) -> None:
    completed = [rule_of(job) for job in study.jobs if job["JobState"] == "COMPLETED"]
    assert completed.count("sample_corpus") == len(LANGUAGES)
    assert [completed.count(rule) for rule in LIMITS] == [*[len(LANGUAGES)] * SHARDS, 1, 1]
    assert "Nothing to be done" in study.third_run


def test_rules_of_seconds_are_not_submitted(study: Study) -> None:
    assert {rule_of(job) for job in study.jobs} == LIMITS.keys() | {
        "sample_corpus",
        "reduce_kurtosis",
        "reduce_half",
        "measure_stability",
        "measure_selection_null",
        "render_prompts",
        "render_open_questions",
        "score_masks",
    }
    assert [rule_of(job) for job in study.jobs].count("reduce_kurtosis") == 1  # all layers


def test_gpu_rules_run_in_the_gpu_partition_with_one_gpu_each(study: Study) -> None:
    for job in study.jobs:
        if rule_of(job) in LIMITS:
            assert (job["Partition"], job["TresPerJob"]) == ("gpu", "gres:gpu:1"), job
            assert (job["TimeLimit"], job["MinMemoryNode"]) == (LIMITS[rule_of(job)], "32000M"), job
        else:
            assert job["Partition"] == "cpu" and "TresPerJob" not in job, job


def test_statistics_equal_those_of_one_machine_bit_for_bit(study: Study, local: Workspace) -> None:
    compared = 0
    for pattern in ("models/base/*.safetensors", "relevance/**/*.safetensors"):
        for path in local.results.glob(pattern):
            other = study.results / path.relative_to(local.results)
            assert tensors(other.read_bytes()) == tensors(path.read_bytes()), path
            compared += 1
    assert compared >= 1 + 2 * SHARDS
    for path in local.results.rglob("*.parquet"):
        other = study.results / path.relative_to(local.results)
        pd.testing.assert_frame_equal(read_table(other), read_table(path), check_exact=True)


def test_tables_equal_those_of_one_machine_byte_for_byte(study: Study, local: Workspace) -> None:
    tables = sorted(local.results.glob("tables/*"))
    assert {path.name for path in tables} >= {"table1.csv", "table2.tex", "mask_counts.md"}
    for path in [*tables, *local.results.rglob("*.jsonl")]:
        assert (study.results / path.relative_to(local.results)).read_bytes() == path.read_bytes(), path
