"""Sweeps are scored on halves of the questions, each as it would be alone."""

import pandas as pd
from crane.scores.summary import summarise
from crane.scores.sweeps import ALL, DISCOVERY, VALIDATION, discovered, score_sweep
from support.sweep_results import QUIZ, SETS, answers, points


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
        _, alone, _ = summarise(rows, QUIZ, resamples=200)
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
