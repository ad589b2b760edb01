"""The small study on a cluster: where its jobs ran, and that its results equal those of one machine."""

import pandas as pd
import pytest
from crane.artefacts import read_table
from support.slurm_study import SHARDS, Study, rule_of, tensors
from support.workspace import Workspace

pytestmark = pytest.mark.slow
GPU_RULES = {"rule_attribute_relevance", "rule_run_benchmarks", "rule_generate_answers"}


def test_an_interrupted_driver_takes_its_jobs_with_it(study: Study) -> None:
    assert study.interrupted == set()
    assert study.partial == []
    cancelled = [job for job in study.jobs if job["JobState"] == "CANCELLED"]
    assert "rule_attribute_relevance" in {rule_of(job) for job in cancelled}


def test_the_second_driver_submits_only_what_is_missing(study: Study) -> None:
    completed = [rule_of(job) for job in study.jobs if job["JobState"] == "COMPLETED"]
    assert completed.count("rule_train_demo_model") == 1
    assert completed.count("rule_sample_corpus") == 2
    assert "Nothing to be done" in study.third_run


def test_rules_of_seconds_are_not_submitted(study: Study) -> None:
    assert {rule_of(job) for job in study.jobs} == GPU_RULES | {
        "rule_train_demo_model",
        "rule_sample_corpus",
        "group_kurtosis_reduce_kurtosis",
        "rule_reduce_half",
        "rule_measure_stability",
        "rule_score_masks",
    }
    assert [rule_of(job) for job in study.jobs].count("group_kurtosis_reduce_kurtosis") == 1  # four layers


def test_gpu_rules_run_in_the_gpu_partition_with_one_gpu_each(study: Study) -> None:
    for job in study.jobs:
        if rule_of(job) in GPU_RULES:
            assert (job["Partition"], job["TresPerJob"]) == ("gpu", "gres:gpu:1"), job
            assert (job["TimeLimit"], job["MinMemoryNode"]) in [
                ("02:00:00", "32000M"),
                ("04:00:00", "32000M"),
            ]
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
