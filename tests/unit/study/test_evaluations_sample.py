"""Random mask sets on a part of the questions: what they are asked, in which jobs, and what the check refuses."""

from typing import Any

import pytest
from crane.names import ORIGINAL
from crane.study import evaluations, outputs
from crane.study.study import Study
from support.study_config import changed, messages, preset, without_sample

SAMPLE: dict[str, Any] = {"mask_sets": ["many"], "questions": {"quiz": 60, "perplexity": 50}, "seed": 0}


@pytest.fixture
def config() -> dict[str, Any]:
    demo = preset("demo")
    demo["mask_sets"]["many"] = {**demo["mask_sets"]["random"], "label": "Many", "seeds": 200}
    demo["evaluation"]["sample"] = SAMPLE
    return demo


def test_many_seeds_are_few_jobs_and_those_of_the_other_sets_stay_as_they_are(config: dict[str, Any]) -> None:
    study, without = Study(config), Study(without_sample(config))
    for model in study.evaluated_models:
        jobs, before = evaluations.jobs(study, model), evaluations.jobs(without, model)
        assert jobs[: len(before)] == before and len(jobs) == len(before) + 4
        assert [name for sets in jobs[len(before) :] for name in sets] == [
            f"many-{seed}" for seed in range(200)
        ]
        for old, new in zip(before, jobs, strict=False):
            assert evaluations.job_settings(study, model, new) == evaluations.job_settings(
                without, model, old
            )
    fewer = Study(changed(config, evaluation__sample__sets_per_job=200))
    assert len(evaluations.jobs(fewer, "base")) == len(evaluations.jobs(without, "base")) + 1


def test_they_are_asked_the_part_alone(config: dict[str, Any]) -> None:
    study = Study(config)
    assert evaluations.parts(study, "base", "many-7") == ["sampled-quiz", "sampled-perplexity"]
    assert evaluations.parts(study, "chat", "many-7") == ["sampled-quiz"], "its perplexity is not measured"
    assert evaluations.prompt_names(study, "sampled-quiz")["sampled-quiz_vi"] == ("choices", "quiz_vi")
    assert (
        evaluations.prompt_files(study, "base", "sampled-quiz")[0]
        == "results/demo/prompts/base/sampled/quiz_en.parquet"
    )
    texts = evaluations.prompt_files(study, "base", "sampled-perplexity")
    assert texts[2] == "results/demo/held_out/base/sampled/vi.parquet"
    settings = evaluations.job_settings(study, "base", ["many-0"])
    assert list(settings["prompts"]) == [
        *evaluations.prompt_names(study, "sampled-quiz"), *evaluations.prompt_names(study, "sampled-perplexity")
    ]  # fmt: skip
    assert set(evaluations.receipts(study, "base", "many-0", "code")) == {
        "sampled-quiz",
        "sampled-perplexity",
    }


def test_they_are_in_no_other_table_and_the_others_are_as_before(config: dict[str, Any]) -> None:
    study, without = Study(config), Study(without_sample(config))
    assert study.labels() == without.labels() and study.mask_labels() == without.mask_labels()
    assert study.masks.shown == without.masks.shown and study.perplexity_sets == without.perplexity_sets
    assert set(outputs.tables(study)) == {*outputs.tables(without), "sampled_null"}
    assert outputs.figures(study) == outputs.figures(without)
    groups = [ORIGINAL, *study.masks.shown]
    assert [evaluations.group_of(study, name) for name in groups] == [
        evaluations.group_of(without, name) for name in groups
    ]
    drawn = dict(study.masks.drawn())
    assert drawn.pop("many") == {f"many-{seed}": seed for seed in range(200)} and drawn == dict(
        without.masks.drawn()
    )


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"evaluation__sample__mask_sets": ["crane"]}, "'crane' is not of method random"),
        ({"evaluation__sample__mask_sets": ["mani"]}, "evaluation.sample.mask_sets: 'mani' is not a mask set"),
        ({"perplexity__mask_sets": ["many"]}, "perplexity.mask_sets: 'many' is measured on a part of the questions"),
        ({"evaluation__sample__questions": {"open": 5}}, "questions.open: each answer is judged"),
        ({"evaluation__sample__questions": {"quizz": 5}}, "evaluation.sample.questions.quizz: 'quizz' is not a suite"),
        ({"evaluation__sample__questions": {"perplexity": 500}}, "500 documents exceed the 200 of"),
        ({"evaluation__sample__questions": {}}, "evaluation.sample.questions"),
        ({"evaluation__sample__questions": {"quiz": 0}}, "evaluation.sample.questions.quiz"),
    ],
)  # fmt: skip
def test_what_a_sample_cannot_be_is_said_in_one_line(
    config: dict[str, Any], edits: dict[str, Any], said: str
) -> None:
    lines = messages(changed(config, **edits))
    assert len(lines) == 1 and said in lines[0]


def test_the_presets_have_a_part_of_their_own_study() -> None:
    for names in (("demo", "demo-evidence"), ("config", "evidence")):
        study = Study(preset(*names))
        assert study.masks.sampled and study.sampled_parts("base")
