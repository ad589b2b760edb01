"""What is asked under which mask set, and which jobs ask it."""

from typing import Any

import pytest
from crane.names import ORIGINAL, PERPLEXITY
from crane.study import evaluations
from crane.study.study import Study
from support.study_config import REMOVE, changed

OWN = ["crane", "crane_small", "crane_threshold", "dispersion", "lape", "lape_matched"]
NO_BENCHMARKS = {"benchmarks": REMOVE, "suites": REMOVE, "sweeps": REMOVE, "published": REMOVE}
NO_QUESTIONS = {"open_questions": REMOVE, "judges": REMOVE, "published": REMOVE}
POINT = "kurtosis-layer-contrast-above0.5"
"""A mask set of a sweep over the threshold, which no table shows."""


# Groups -------------------------------------------------------------------------------------------------


def test_a_group_is_a_mask_set_with_all_its_seeds(config: dict[str, Any]) -> None:
    study = Study(changed(config, sweeps=REMOVE, mask_sets__random__seeds=2))
    groups = evaluations.groups(study, "base")
    assert list(groups) == [ORIGINAL, *OWN, "random", "random_dispersion", "destroyed"]
    assert groups[ORIGINAL] == [ORIGINAL] and groups["crane"] == ["crane"]
    assert groups["random"] == ["random-0", "random-1"]
    assert [name for members in groups.values() for name in members] == [ORIGINAL, *study.masks.shown]


def test_sets_of_sweeps_are_groups_of_their_own_on_the_identification_model(config: dict[str, Any]) -> None:
    study = Study(config)
    swept = study.masks.sweeps.evaluated()
    assert POINT in swept
    base, chat = evaluations.groups(study, "base"), evaluations.groups(study, "chat")
    assert [base[name] for name in swept] == [[name] for name in swept]
    assert {name: members for name, members in base.items() if name not in swept} == chat


def test_every_set_is_in_one_group(config: dict[str, Any]) -> None:
    study = Study(config)
    for group, members in evaluations.groups(study, "base").items():
        assert {evaluations.group_of(study, name) for name in members} == {group}
    with pytest.raises(StopIteration):
        evaluations.group_of(study, "another")


def test_own_sets_are_collected_together_and_what_a_sweep_adds_apart(config: dict[str, Any]) -> None:
    study = Study(changed(config, mask_sets__lape__intervention={"scale": 0.5}))
    collections = evaluations.collections(study, "quiz")
    assert list(collections["mask_sets"]) == sorted([*OWN, "random", "random_dispersion", "destroyed"])
    assert collections["mask_sets"]["random"] == {f"random-{seed}": {} for seed in range(5)}
    assert collections["mask_sets"]["lape"] == {"lape": {"scale": 0.5}}
    assert collections[ORIGINAL] == {ORIGINAL: {ORIGINAL: {}}}
    assert collections["sweep_threshold"][POINT] == {POINT: {}}
    collected = [name for groups in collections.values() for members in groups.values() for name in members]
    assert sorted(collected) == sorted([ORIGINAL, *study.masks.shown, *study.masks.sweeps.evaluated()])
    # The other parts are not asked under a sweep's own sets, and only some sets have their perplexity measured.
    assert list(evaluations.collections(study, "open")) == ["mask_sets", ORIGINAL]
    assert {*evaluations.collections(study, PERPLEXITY)["mask_sets"]} < {*collections["mask_sets"]}
    # The order of the configuration says nothing and changes no job.
    assert all(list(groups) == sorted(groups) for groups in collections.values())


def test_a_model_has_a_job_for_each_collection_that_it_is_asked_for(config: dict[str, Any]) -> None:
    study = Study(config)
    sweeps = {name for name in evaluations.collections(study, "quiz") if name.startswith("sweep")}
    assert evaluations.collecting_jobs(study, "base") == 3 * 2 + len(sweeps)
    assert evaluations.collecting_jobs(study, "chat") == 2 * 2


# Parts --------------------------------------------------------------------------------------------------


def test_everything_is_asked_under_the_sets_of_the_tables(config: dict[str, Any]) -> None:
    study = Study(config)
    assert evaluations.parts(study, "base", "lape") == ["quiz", "open"]
    assert evaluations.parts(study, "base", "crane") == ["quiz", "open", PERPLEXITY]
    assert evaluations.parts(study, "base", ORIGINAL) == ["quiz", "open", PERPLEXITY]
    assert evaluations.parts(study, "chat", "crane") == ["quiz", "open"], "no perplexity on the chat model"
    both = Study(changed(config, perplexity__transfer=True))
    assert evaluations.parts(both, "chat", "crane") == ["quiz", "open", PERPLEXITY]


def second_suite(config: dict[str, Any]) -> dict[str, Any]:
    """Return the study with a second suite, over which nothing is swept."""
    more = {f"more_{code}": config["benchmarks"][f"quiz_{code}"] for code in config["languages"]}
    return changed(
        config, benchmarks={**config["benchmarks"], **more}, suites={**config["suites"], "more": list(more)}
    )


def test_a_set_of_sweeps_alone_is_asked_their_suites(config: dict[str, Any]) -> None:
    study = Study(second_suite(config))
    assert evaluations.parts(study, "base", POINT) == ["quiz"]
    assert evaluations.parts(study, "base", "lape") == ["quiz", "more", "open"]
    assert evaluations.parts(study, "base", "crane") == ["quiz", "more", "open", PERPLEXITY]


def test_a_set_of_two_sweeps_is_asked_both_suites_in_the_order_of_the_study(config: dict[str, Any]) -> None:
    two = second_suite(config)
    two["sweeps"]["budget"] |= {"suite": "more", "fractions": [0.05, 0.2]}
    two["sweeps"]["ablation"]["fraction"] = 0.05
    study = Study(two)
    assert evaluations.parts(study, "base", "kurtosis-layer-margin-fraction0.05") == ["quiz", "more"]
    assert evaluations.parts(study, "base", "kurtosis-layer-margin-fraction0.2") == ["more"]
    assert evaluations.parts(study, "base", "kurtosis-rank-margin-fraction0.05") == ["quiz"]


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        (NO_QUESTIONS, ["quiz", PERPLEXITY]),
        (NO_BENCHMARKS, ["open", PERPLEXITY]),
        ({**NO_BENCHMARKS, **NO_QUESTIONS}, [PERPLEXITY]),
        ({"perplexity": REMOVE, "calibration": REMOVE}, ["quiz", "open"]),
    ],
    ids=["without questions", "without benchmarks", "perplexity only", "without perplexity"],
)
def test_what_a_study_lacks_is_not_asked(config: dict[str, Any], edits: Any, expected: list[str]) -> None:
    study = Study(changed(config, **edits))
    assert evaluations.parts(study, "base", "crane") == expected
    asked = [
        part
        for sets in evaluations.jobs(study, "base")
        for part in evaluations.job_parts(study, "base", sets)
    ]
    assert set(asked) == set(expected)


# Prompts ------------------------------------------------------------------------------------------------


def test_prompts_of_each_part(config: dict[str, Any]) -> None:
    study = Study(config)
    assert evaluations.prompt_names(study, "open") == {"open": ("open", "open")}
    assert evaluations.prompt_names(study, "quiz") == {
        f"quiz_{code}": ("choices", f"quiz_{code}") for code in ("en", "vi", "zh")
    }
    assert evaluations.prompt_names(study, PERPLEXITY) == {
        f"perplexity_{code}": ("texts", code) for code in ("en", "zh", "vi")
    }
    assert evaluations.prompt_files(study, "chat", "open") == ["results/demo/prompts/chat/open.parquet"]
    assert evaluations.prompt_files(study, "base", PERPLEXITY)[0] == "results/demo/held_out/base/en.parquet"
    for part in (*study.asked, PERPLEXITY):
        names = evaluations.prompt_names(study, part)
        assert len(evaluations.prompt_files(study, "base", part)) == len(names)


# Jobs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 4, 5, 1000])
def test_jobs_share_the_sets_among_them(config: dict[str, Any], size: int) -> None:
    study = Study(changed(config, evaluation__sets_per_job=size))
    for model in study.evaluated_models:
        jobs = evaluations.jobs(study, model)
        every = [name for members in evaluations.groups(study, model).values() for name in members]
        assert [name for sets in jobs for name in sets] == every
        assert {len(sets) for sets in jobs[:-1]} <= {size} and 1 <= len(jobs[-1]) <= size


def test_four_sets_share_a_job_where_the_study_does_not_say(config: dict[str, Any]) -> None:
    study = Study(changed(config, evaluation__sets_per_job=REMOVE))
    jobs = evaluations.jobs(study, "chat")
    assert jobs[0] == [ORIGINAL, "crane", "crane_small", "crane_threshold"]
    assert [len(sets) for sets in jobs] == [4, 4, 4, 4, 2]


def test_no_job_is_made_for_sets_of_which_nothing_is_asked(config: dict[str, Any]) -> None:
    study = Study(changed(config, **{**NO_BENCHMARKS, **NO_QUESTIONS}))
    assert [name for sets in evaluations.jobs(study, "base") for name in sets] == [
        ORIGINAL, *study.perplexity_sets,
    ]  # fmt: skip
    assert evaluations.jobs(study, "chat") == []


def test_a_job_asks_each_part_once_and_each_set_its_own(config: dict[str, Any]) -> None:
    study = Study(config)
    sets = [ORIGINAL, "lape", POINT, "dispersion-x0.5"]
    assert evaluations.job_parts(study, "base", sets) == ["quiz", "open", PERPLEXITY]
    assert evaluations.job_parts(study, "base", [POINT]) == ["quiz"]
    settings = evaluations.job_settings(study, "base", sets)
    quiz = [f"quiz_{code}" for code in ("en", "vi", "zh")]
    texts = [f"perplexity_{code}" for code in ("en", "zh", "vi")]
    asked = {"quiz": quiz, "open": ["open"], PERPLEXITY: texts}
    assert {name: one["parts"] for name, one in settings["mask_sets"].items()} == {
        ORIGINAL: asked,
        "lape": {part: asked[part] for part in ("quiz", "open")},
        POINT: {"quiz": quiz},
        "dispersion-x0.5": {"quiz": quiz},
    }
    neurons = {name: one["neurons"] for name, one in settings["mask_sets"].items()}
    assert neurons == {ORIGINAL: "", "lape": "lape", POINT: POINT, "dispersion-x0.5": "dispersion"}
    assert settings["mask_sets"]["dispersion-x0.5"]["intervention"] == {"scale": 0.5}
    assert list(settings["prompts"]) == [*quiz, "open", *texts]


def test_how_answers_are_made_decides_the_open_prompts_alone(config: dict[str, Any]) -> None:
    prompts = evaluations.job_settings(Study(config), "base", [ORIGINAL])["prompts"]
    assert prompts["open"] == {
        "kind": "open", "settings": {"context": 512, "max_new_tokens": 16, "repetition_penalty": 1.1},
    }  # fmt: skip
    assert prompts["quiz_en"] == {"kind": "choices", "settings": {}}
    assert prompts["perplexity_vi"] == {"kind": "texts", "settings": {}}
