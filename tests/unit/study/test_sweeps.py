"""Sweeps: how they expand, and that nothing is computed twice."""

import copy

import pytest
from crane.study.masks import BY_STATISTICS
from crane.study.study import Study
from support.study_config import whole_demo


@pytest.fixture
def config(demo_config):
    return {**copy.deepcopy(demo_config), "sweeps": {}}


def sweep(config, name, **settings):
    """Return the mask sets of a study with one sweep, and the sweep's points."""
    config = copy.deepcopy(config)
    config["sweeps"] = {name: {"suite": "quiz", **settings}}
    study = Study(config)
    return study.masks, study.masks.sweep_points(name)


def test_budgets_are_common_to_all_methods(config):
    sets = ["crane_threshold", "dispersion", "lape_matched", "random"]
    config["mask_sets"]["random"]["match"] = "crane_threshold"
    masks, points = sweep(config, "budget", mask_sets=sets, fractions=[0.02, 0.1], seeds=3)
    assert len(points) == 2 * (3 + 3)
    for point in points:
        settings = masks.every[point["mask_set"]]
        while "match" in settings:
            settings = masks.every[settings["match"]]
        assert settings["budget"] == {"fraction": point["value"]}
        assert settings["rule"] == "margin" and "threshold" not in settings
    draws = {p["mask_set"]: masks.every[p["mask_set"]]["seed"] for p in points if p["group"] == "random"}
    assert sorted(draws.values()) == [0, 0, 1, 1, 2, 2]


def test_random_sets_of_layer_and_of_magnitude_are_other_sets(config):
    config["mask_sets"]["random_dispersion"]["match"] = "crane"
    sets = ["crane", "random", "random_dispersion"]
    masks, points = sweep(config, "budget", mask_sets=sets, fractions=[0.2], seeds=1)
    names = [p["mask_set"] for p in points if p["group"].startswith("random")]
    assert [name.endswith("-by-magnitude") for name in names] == [False, True]
    assert [masks.drawn_alike([name]) for name in names] == [None, "mean_abs"]


def test_every_method_that_ranks_all_neurons_takes_a_budget(config):
    every = {"label": "L", "normalise": "layer", "rule": "margin", "budget": {"fraction": 0.2}}
    config["mask_sets"]["often"] = {**every, "method": "activation", "statistic": "probability"}
    config["mask_sets"]["entropy"] = {
        "label": "T", "method": "ternary", "kind": "specific", "top_rate": 0.01,
        "activation_bar_ratio": 0.95,
    }  # fmt: skip
    masks, points = sweep(config, "budget", mask_sets=["often", "entropy"], fractions=[0.1], seeds=1)
    assert [point["mask_set"] for point in points] == [
        "probability-layer-margin-fraction0.1", "ternary-specific-top0.01-bar0.95-fraction0.1",
    ]  # fmt: skip
    assert [masks.every[point["mask_set"]]["budget"] for point in points] == [{"fraction": 0.1}] * 2
    assert set(masks.chosen_by(*BY_STATISTICS)) > {"often", "entropy", *(p["mask_set"] for p in points)}
    assert {"often", "entropy"} < set(masks.halved)


def test_points_that_the_study_has_are_its_own_sets(config):
    masks, points = sweep(
        config,
        "budget",
        mask_sets=["crane", "dispersion", "lape_matched", "random"],
        fractions=[0.1],
        seeds=2,
    )
    names = ["crane", "dispersion", "lape_matched", "random-0", "random-1"]
    assert [point["mask_set"] for point in points] == names
    assert masks.sweeps.sets == {}
    masks, points = sweep(config, "threshold", mask_set="crane_threshold", thresholds=[1.0, 2])
    assert [point["mask_set"] for point in points] == ["crane_threshold", "kurtosis-layer-contrast-above2"]
    assert [point["configured"] for point in points] == [True, False]
    masks, points = sweep(config, "intervention", mask_sets=["lape", "random"], scales=[0, 0.5], mean=True)
    assert [p["mask_set"] for p in points[:4]] == ["lape", "lape-x0.5", "lape-mean", "random-0"]
    assert len(points) == 3 * (1 + 5)
    assert masks.chosen_by("lape") == ["lape"], "an intervention chooses no neurons anew"
    assert masks.neurons_of("random-3-x0.5") == "random-3"
    assert masks.intervention("lape-x0.5") == {"scale": 0.5}
    assert masks.intervention("lape-mean") == {"mean": True}
    assert masks.intervention("lape") == masks.intervention("original") == {}


def test_the_own_threshold_is_always_there(config):
    _, points = sweep(config, "threshold", mask_set="crane_threshold", thresholds=[2, 0.5])
    assert [point["value"] for point in points] == [0.5, 1, 2]


def test_an_ablation_replaces_one_setting_at_a_time(config):
    config["relevance_variants"] = {"logprob": {"objective": "next_token_logprob"}}
    masks, points = sweep(
        config, "ablation", mask_sets=["crane"], fraction=0.05, statistics=["kurtosis", "std"],
        normalisations=["layer", "none"], rules=["margin", "target_only"], relevance=["logprob"],
    )  # fmt: skip
    reference = masks.selection(points[0]["mask_set"])
    assert reference["budget"] == {"fraction": 0.05} and points[0]["configured"]
    changed = {}
    for point in points[1:]:
        own = masks.selection(point["mask_set"])
        differing = {key for key in own.keys() | reference.keys() if own.get(key) != reference.get(key)}
        changed[point["varied"]] = differing, point["setting"]
    assert changed == {
        "statistic": ({"statistic", "method"}, "std"),
        "normalise": ({"normalise"}, "none"),
        "rule": ({"rule"}, "target_only"),
        "relevance": ({"relevance"}, "logprob"),
    }
    assert masks.variant(points[-1]["mask_set"]) == "-logprob"
    assert masks.variant("crane") == ""
    assert masks.relevance("-logprob") == masks.relevance("") | {"relevance.objective": "next_token_logprob"}


def test_a_points_name_depends_on_nothing_but_its_settings(config):
    _, points = sweep(config, "threshold", mask_set="crane_threshold", thresholds=[2, 0.5])
    config["mask_sets"] = dict(reversed(config["mask_sets"].items()))
    _, again = sweep(config, "threshold", mask_set="crane_threshold", thresholds=[0.5, 2, 3])
    assert {p["mask_set"] for p in points} < {p["mask_set"] for p in again}


def test_names_tell_all_sets_of_the_demo_apart():
    masks = Study(whole_demo()).masks
    assert set(masks.sweeps.points) == {"budget", "threshold", "ablation", "intervention"}
    deciding = [
        (tuple(sorted(map(str, masks.selection(name).items()))), str(masks.intervention(name)))
        for name in masks.every
    ]
    assert len(set(deciding)) == len(masks.every) == len(masks.shown) + len(masks.sweeps.sets)
    assert masks.sweeps.evaluated() == list(masks.sweeps.sets)


def test_without_sweeps_nothing_is_added(config):
    del config["sweeps"]
    masks = Study(config).masks
    assert masks.every == masks.shown
    assert masks.sweeps.points == {}


def test_every_ranking_method_is_cut_to_a_budget_under_a_name_of_its_own(config):
    plnd = {
        "label": "P",
        "method": "plnd",
        "importance": "output",
        "top": 0.1,
        "consistency": 1,
        "remove": "any",
    }
    rates = {"top_rate": 0.01, "filter_rate": 0.95, "activation_bar_ratio": 0.95}
    config["mask_sets"] |= {
        "plnd": plnd, "up": {**plnd, "importance": "up_abs"}, "grad": {"label": "G", "method": "grad_lape", **rates},
    }  # fmt: skip
    masks, points = sweep(config, "budget", mask_sets=["plnd", "up", "grad"], fractions=[0.2], seeds=1)
    names = [p["mask_set"] for p in points]
    assert names == [
        "plnd-consistency1-importanceoutput-removeany-top0.1-fraction0.2",
        "plnd-consistency1-importanceup_abs-removeany-top0.1-fraction0.2",
        "grad_lape-activationbarratio0.95-filterrate0.95-toprate0.01-fraction0.2",
    ]
    assert [masks.every[name]["budget"] for name in names] == [{"fraction": 0.2}] * 3
