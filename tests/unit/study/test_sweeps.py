"""Sweeps: how they expand, and that nothing is computed twice."""

import copy

import pytest
from crane.study.study import Study


@pytest.fixture
def config(demo_config):
    return {**copy.deepcopy(demo_config), "sweeps": {}}


def sweep(config, name, **settings):
    """Return the study and its points with one sweep."""
    config = copy.deepcopy(config)
    config["sweeps"] = {name: {"suite": "quiz", **settings}}
    study = Study(config)
    return study, study.sweep_points(name)


def test_budgets_are_common_to_all_methods(config):
    sets = ["crane_threshold", "dispersion", "lape_matched", "random"]
    config["mask_sets"]["random"]["match"] = "crane_threshold"
    study, points = sweep(config, "budget", mask_sets=sets, fractions=[0.02, 0.1], seeds=3)
    assert len(points) == 2 * (3 + 3)
    for point in points:
        settings = study.every_set[point["mask_set"]]
        while "match" in settings:
            settings = study.every_set[settings["match"]]
        assert settings["budget"] == {"fraction": point["value"]}
        assert settings["rule"] == "margin" and "threshold" not in settings
    draws = {p["mask_set"]: study.every_set[p["mask_set"]]["seed"] for p in points if p["group"] == "random"}
    assert sorted(draws.values()) == [0, 0, 1, 1, 2, 2]


def test_points_that_the_study_has_are_its_own_sets(config):
    study, points = sweep(
        config,
        "budget",
        mask_sets=["crane", "dispersion", "lape_matched", "random"],
        fractions=[0.1],
        seeds=2,
    )
    names = ["crane", "dispersion", "lape_matched", "random-0", "random-1"]
    assert [point["mask_set"] for point in points] == names
    assert study.sweeps.sets == {}
    study, points = sweep(config, "threshold", mask_set="crane_threshold", thresholds=[1.0, 2])
    assert [point["mask_set"] for point in points] == ["crane_threshold", "kurtosis-layer-contrast-above2"]
    assert [point["configured"] for point in points] == [True, False]
    study, points = sweep(config, "intervention", mask_sets=["lape", "random"], scales=[0, 0.5], mean=True)
    assert [p["mask_set"] for p in points[:4]] == ["lape", "lape-x0.5", "lape-mean", "random-0"]
    assert len(points) == 3 * (1 + 5)
    assert study.chosen_by("lape") == ["lape"], "an intervention chooses no neurons anew"
    assert study.neurons_of("random-3-x0.5") == "random-3"
    assert study.intervention("lape-x0.5") == {"scale": 0.5}
    assert study.intervention("lape-mean") == {"mean": True}
    assert study.intervention("lape") == study.intervention("original") == {}


def test_the_own_threshold_is_always_there(config):
    _, points = sweep(config, "threshold", mask_set="crane_threshold", thresholds=[2, 0.5])
    assert [point["value"] for point in points] == [0.5, 1, 2]


def test_an_ablation_replaces_one_setting_at_a_time(config):
    config["relevance_variants"] = {"logprob": {"objective": "next_token_logprob"}}
    study, points = sweep(
        config, "ablation", mask_sets=["crane"], fraction=0.05, statistics=["kurtosis", "std"],
        normalisations=["layer", "none"], rules=["margin", "target_only"], relevance=["logprob"],
    )  # fmt: skip
    reference = study.selection(points[0]["mask_set"])
    assert reference["budget"] == {"fraction": 0.05} and points[0]["configured"]
    changed = {}
    for point in points[1:]:
        own = study.selection(point["mask_set"])
        differing = {key for key in own.keys() | reference.keys() if own.get(key) != reference.get(key)}
        changed[point["varied"]] = differing, point["setting"]
    assert changed == {
        "statistic": ({"statistic", "method"}, "std"),
        "normalise": ({"normalise"}, "none"),
        "rule": ({"rule"}, "target_only"),
        "relevance": ({"relevance"}, "logprob"),
    }
    assert study.variant(points[-1]["mask_set"]) == "-logprob"
    assert study.variant("crane") == ""
    assert study.relevance("-logprob") == study.relevance("") | {"relevance.objective": "next_token_logprob"}


def test_a_points_name_depends_on_nothing_but_its_settings(config):
    _, points = sweep(config, "threshold", mask_set="crane_threshold", thresholds=[2, 0.5])
    config["mask_sets"] = dict(reversed(config["mask_sets"].items()))
    _, again = sweep(config, "threshold", mask_set="crane_threshold", thresholds=[0.5, 2, 3])
    assert {p["mask_set"] for p in points} < {p["mask_set"] for p in again}


def test_names_tell_all_sets_of_the_demo_apart(demo_config):
    study = Study(demo_config)
    assert set(study.sweeps.points) == {"budget", "threshold", "ablation", "intervention"}
    deciding = [
        (tuple(sorted(map(str, study.selection(name).items()))), str(study.intervention(name)))
        for name in study.every_set
    ]
    assert len(set(deciding)) == len(study.every_set) == len(study.mask_sets) + len(study.sweeps.sets)
    assert study.sweeps.evaluated() == list(study.sweeps.sets)


def test_without_sweeps_nothing_is_added(config):
    del config["sweeps"]
    study = Study(config)
    assert study.every_set == study.mask_sets
    assert study.sweeps.points == {}
