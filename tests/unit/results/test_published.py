"""The published numbers beside a run that has those very numbers, and beside one that has not."""

import numpy as np
import pytest
from crane.results.published import LANGSPEC_F1, against_destroyed, beside
from support import published_beside
from support.published_beside import MAPPING, rows
from support.published_results import BASE, EVERY, published


@pytest.fixture(scope="module")
def paper():
    return published_beside.paper()


def test_the_errata_are_the_three_random_rows_of_table_2(paper):
    assert len(paper) == 102 + 30
    off = paper[(paper["paper"] - paper["follows"]).abs() > 0.001]
    assert off.set_index("mask_language")["follows"].round(4).to_dict() == {
        "en": 0.4514, "vi": 0.0486, "zh": 0.1328,
    }  # fmt: skip
    assert set(off["method"]) == {"random"} and set(off["kind"]) == {"open"}
    rest = paper.drop(off.index)
    assert (rest["paper"] - rest["follows"]).abs().max() <= 0.0004


def test_a_destroyed_model_reaches_ten_of_the_twelve_printed_values_of_the_method(paper):
    """By hand from the unmasked scores: MMLU .4579 falls by .2079, C-Eval .3470 by .0970, Belebele .3722 by .1222."""
    crane = paper[(paper["method"] == "crane") & paper["destroyed"].notna()]
    assert len(crane) == 12 and (crane["paper"] <= crane["destroyed"]).sum() == 10
    precision, recall = 0.2079 / (0.2079 + 0.1222), 0.2079 / 0.4579
    english = crane.query(f"model == '{BASE}' and kind == 'nlu' and mask_language == 'en'")["destroyed"]
    assert english.item() == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-6)
    open_ended = crane.query("kind == 'open'")["destroyed"].round(3)
    assert open_ended.tolist() == [0.653, 0.365, 0.459, 0.666, 0.601, 0.593]


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
    scores, f1 = published()
    found = beside(paper, scores, f1, EVERY, MAPPING, model=BASE, suite="exam")
    assert found["inside"].isna().all()


def test_what_a_destroyed_model_reaches_is_said(paper):
    (said,) = against_destroyed(rows(paper), "nlu")
    assert (
        "fall from the paper's unmasked ones to chance (0.25). 8 of 9 printed values are not above it" in said
    )
    assert said.endswith("Random en, Random vi, Random zh.") or "CRANE en" in said
    assert "the judge's lowest (1)" in against_destroyed(rows(paper, "open"), "open")[0]
    part = {"models": {BASE: BASE}, "mask_sets": {"crane": "crane"}, "benchmarks": {"mmlu": "mmlu"}}
    scores = rows(paper, mapping=part)
    assert against_destroyed(scores[scores["measure"] != LANGSPEC_F1], "nlu") == []
