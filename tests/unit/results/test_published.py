"""The published numbers beside a run that has those very numbers, and beside one that has not."""

import numpy as np
import pandas as pd
import pytest
from crane.figures.published import published_figure
from crane.results.published import LANGSPEC_F1, beside, errata, heading, printed
from crane.tables.published import published_table
from crane.tables.rendering import render
from test_tables import BASE, CHAT, PUBLISHED, labels, study
from test_tables import published as frames

EVERY = labels("lape", "crane", "random")
MAPPING = {
    "models": {BASE: BASE, CHAT: CHAT},
    "mask_sets": {"lape": "lape", "crane": "crane", "random": "random"},
    "benchmarks": {name: name for name in ("mmlu", "ceval", "belebele_vi", "open_en", "open_zh", "open_vi")},
}


@pytest.fixture(scope="module")
def paper() -> pd.DataFrame:
    return printed(PUBLISHED / "scores.csv", PUBLISHED / "langspec_f1.csv")


def rows(
    paper: pd.DataFrame, suite: str = "exam", shift: float = 0.0, mapping: dict = MAPPING
) -> pd.DataFrame:
    scores, f1 = study()
    scores = scores.assign(
        score=scores["score"] + shift, low=scores["low"] + shift, high=scores["high"] + shift
    )
    return beside(paper, scores, f1, EVERY, mapping, model=BASE, suite=suite)


def test_the_errata_are_the_three_random_rows_of_table_2(paper):
    assert len(paper) == 102 + 30
    off = paper[(paper["paper"] - paper["follows"]).abs() > 0.001]
    assert off.set_index("mask_language")["follows"].round(4).to_dict() == {
        "en": 0.4514, "vi": 0.0486, "zh": 0.1328,
    }  # fmt: skip
    assert set(off["method"]) == {"random"} and set(off["kind"]) == {"open"}
    rest = paper.drop(off.index)
    assert (rest["paper"] - rest["follows"]).abs().max() <= 0.0004


def test_every_cell_stands_beside_its_own(paper):
    found = rows(paper)
    assert len(found) == 10 * 3 + 9
    exact = found[(found["seeds"] == 1)]
    np.testing.assert_allclose(exact["rerun"], exact["paper"])
    assert exact["inside"].all() and not found["erratum"].any()
    assert found.query("label == 'random' and mask_language == 'en' and measure == 'mmlu'")[
        "rerun"
    ].item() == (pytest.approx(0.4249 + 0.01 / 3))
    assert rows(paper, "open")["erratum"].sum() == 3


def test_outside_is_told(paper):
    found = rows(paper, shift=0.5)
    scores = found[found["measure"] != LANGSPEC_F1]
    assert not scores["inside"].astype(bool).any()
    assert found.loc[found["measure"] == LANGSPEC_F1, "inside"].all()


def test_what_is_not_mapped_is_left_out(paper):
    part = {"models": {BASE: BASE}, "mask_sets": {"crane": "crane"}, "benchmarks": {"mmlu": "mmlu"}}
    found = rows(paper, mapping=part)
    assert set(found["label"]) == {"original", "crane"} and set(found["measure"]) == {"mmlu", LANGSPEC_F1}


def test_without_an_interval_nothing_is_inside(paper):
    scores, f1 = frames()
    found = beside(paper, scores, f1, EVERY, MAPPING, model=BASE, suite="exam")
    assert found["inside"].isna().all()


@pytest.mark.parametrize("same", [True, False])
def test_the_table_says_whether_the_model_differs(paper, same):
    table = published_table(
        rows(paper, "open"), EVERY, MAPPING, name="p", model=BASE, suite="open", same_model=same
    )
    assert ("The model differs" in table.notes[0]) != same
    assert ("as in the paper" in table.notes[0]) == same
    assert table.cells["Paper", "Value"].str.endswith("§").sum() == 3
    assert "Random en: 0.4514 instead of 0.4406" in table.notes[-1]
    for form in ("csv", "md", "tex", "txt"):
        assert render(table, form)
    assert errata(rows(paper)) == []
    assert len(heading(EVERY, MAPPING, BASE, same)) == 2


def test_the_figure_draws_both(paper):
    found = rows(paper, shift=0.5)
    sizes = dict.fromkeys(MAPPING["benchmarks"], 10)
    figure = published_figure(found, EVERY, "note", sizes)
    assert len(figure.axes) == 4
    own, within, outside = figure.axes[0].lines
    here = found[found["measure"] == "mmlu"]
    np.testing.assert_allclose(own.get_xdata(), here["rerun"])
    assert len(within.get_xdata()) == 0
    np.testing.assert_allclose(outside.get_xdata(), here["paper"])
    assert figure.axes[-1].get_title() == LANGSPEC_F1
    assert figure.legends[0].get_title().get_text() == "note"
