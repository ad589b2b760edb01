"""The table of steering: every share, its bounds, and what was not measured."""

import pytest
from crane.names import TABLE_FORMS
from crane.results.labels import Labels, ResultsError
from crane.tables.rendering import render
from crane.tables.steering import steering_table
from support.steering_results import drawn_steering

LABELS = Labels({"en": "English", "zh": "Chinese"}, {"crane": "CRANE", "random": "Random", "lape": "LAPE"})
SETS = {
    "random-0": ("random", "random"),
    "random-1": ("random", "random"),
    "crane": ("crane", "crane"),
}
PAIRS = [["zh", "en"], ["en", "zh"]]


def test_pairs_and_methods_are_in_the_studys_order_and_seeds_are_one_row() -> None:
    results = drawn_steering(PAIRS, SETS)
    table = steering_table(results, LABELS, how="all is zero")
    heads = table.cells[[("", "Asked → target"), ("", "Method")]].to_numpy().tolist()
    methods = ["Original", "CRANE", "Random (2 seeds)"]
    assert heads == [[pair, method] for pair in ("en → zh", "zh → en") for method in methods]
    assert table.notes[0] == "Steering: all is zero."
    seeds = results[(results["label"] == "random") & (results["asked"] == "en")]["target_share"]
    cell = table.cells["Language of the answers", "Target"][2]
    assert cell == f"{seeds.mean():.0%} [{seeds.min():.0%}, {seeds.max():.0%}]"
    one = results[(results["label"] == "crane") & (results["asked"] == "en")].iloc[0]
    assert table.cells["Language of the answers", "Undecided"][1] == f"{one['undecided_share']:.0%}"
    assert table.cells["Known answers", "Shifted"].tolist()[0] == "–"
    assert table.cells["Perplexity of texts", "Target"][0] == "×1.00"
    for form in TABLE_FORMS:
        assert render(table, "steering", form)


def test_it_says_why_no_answers_are_known() -> None:
    table = steering_table(drawn_steering(PAIRS, SETS, known=False), LABELS, how="")
    assert set(table.cells["Known answers", "Shifted"]) == {"–"}
    assert any("no answers are known in both languages" in note for note in table.notes)


def test_results_of_another_study_are_refused() -> None:
    with pytest.raises(ResultsError, match="no mask set 'random'"):
        steering_table(drawn_steering(PAIRS, SETS), Labels(LABELS.languages, {"crane": "CRANE"}), how="")
    with pytest.raises(ResultsError, match="no results"):
        steering_table(drawn_steering(PAIRS, SETS)[:0], LABELS, how="")
