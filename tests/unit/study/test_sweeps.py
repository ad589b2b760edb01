"""Sweeps: how they expand, that nothing is computed twice, and how they are scored."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from crane.scores.summary import summarise
from crane.scores.sweeps import ALL, DISCOVERY, VALIDATION, discovered, score_sweep
from crane.study.study import Study
from test_scores import BENCHMARKS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config():
    config = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text(encoding="utf-8"))
    config["sweeps"] = {}
    return config


def sweep(config, name, **settings):
    """Return the study and its points with one sweep."""
    config = copy.deepcopy(config)
    config["sweeps"] = {name: {"suite": "quiz", **settings}}
    study = Study(config)
    return study, study.sweep_points(name)


# Expansion ----------------------------------------------------------------------------------------------


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


def test_names_tell_all_sets_of_the_demo_apart():
    study = Study(yaml.safe_load((ROOT / "config" / "demo.yaml").read_text(encoding="utf-8")))
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


# Scores -------------------------------------------------------------------------------------------------

SETS = {"a": 0.1, "b": 0.5, "c": 0.8}
QUIZ = {name: BENCHMARKS[name] for name in ("quiz_en", "quiz_zh")}


def answers(questions=120):
    """Three mask sets whose masks of `en` hurt English more and more, and Chinese a little."""
    rng = np.random.default_rng(0)
    rows = []
    for benchmark, hurt in (("quiz_en", 1.0), ("quiz_zh", 0.1)):
        for mask_set, loss in {"original": 0.0, **SETS}.items():
            right = rng.random(questions) >= loss * hurt
            for question in range(questions):
                rows.append(
                    {
                        "model": "base", "mask_set": mask_set, "benchmark": benchmark, "task": f"{benchmark}_task",
                        "mask_language": "none" if mask_set == "original" else "en", "doc_id": question,
                        "doc_hash": f"{benchmark}-{question}", "stratum": "", "cluster": f"{benchmark}_task/{question}",
                        "value": float(right[question]), "probability": 0.5,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def points():
    return [
        {"mask_set": name, "group": "x", "method": "crane", "varied": "threshold", "setting": name, "value": loss,
         "configured": name == "a"}
        for name, loss in SETS.items()
    ]  # fmt: skip


def scored(items, halves=True):
    counts = {name: {"en": 10 * place} for place, name in enumerate(SETS, 1)}
    return score_sweep(items, QUIZ, points(), counts, halves=halves, resamples=200, seed=0)


def test_halves_are_halves_and_parallel():
    items = answers(2000)
    first = discovered(items)
    assert abs(first.mean() - 0.5) < 0.03
    sides = items.assign(first=first).groupby("doc_id")["first"].nunique()
    assert (sides == 1).all(), "a question is on the same side in every language and under every mask"


def test_questions_about_one_passage_stay_together():
    items = answers()
    items["cluster"] = (items["doc_id"] // 4).map("passage {}".format)
    sides = items.assign(first=discovered(items)).groupby("cluster")["first"].nunique()
    assert len(sides) == 30 and (sides == 1).all()
    assert 0.2 < discovered(items).mean() < 0.8


def test_questions_added_later_move_none():
    few, more = answers(60), answers(120)
    sides = more.assign(first=discovered(more)).drop_duplicates("doc_id").set_index("doc_id")["first"]
    assert (discovered(few).to_numpy() == few["doc_id"].map(sides).to_numpy()).all()


def test_each_part_is_scored_as_it_would_be_alone():
    items = answers()
    table = scored(items)
    first = discovered(items)
    for part, rows in ((ALL, items), (DISCOVERY, items[first]), (VALIDATION, items[~first])):
        _, alone = summarise(rows, QUIZ, resamples=200)
        own = table[table["part"] == part].set_index("mask_set")
        alone = alone.set_index("mask_set")
        for column in ("f1", "low", "high", "target_drop", "other_drop"):
            pd.testing.assert_series_equal(own[column], alone[column], check_like=True)
        assert own["neurons"].to_dict() == {"a": 10, "b": 20, "c": 30}
    assert table.groupby("part")["questions"].first()[ALL] == 120


def test_the_best_on_the_discovery_half_is_chosen():
    items = answers()
    table = scored(items)
    seen = table[table["part"] == DISCOVERY].set_index("mask_set")["f1"]
    assert set(table.loc[table["chosen"], "mask_set"]) == {seen.idxmax()} == {"c"}
    # What happens on the other half does not matter.
    first = discovered(items)
    spoilt = items.copy()
    spoilt.loc[~first & (items["mask_set"] == "c"), "value"] = 1.0
    again = scored(spoilt)
    assert set(again.loc[again["chosen"], "mask_set"]) == {"c"}
    assert again.loc[(again["part"] == VALIDATION) & again["chosen"], "f1"].item() < 0.05
    assert not scored(items, halves=False)["chosen"].any()
