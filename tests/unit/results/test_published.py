"""The published numbers beside a run that has those very numbers, and beside one that has not."""

import numpy as np
import pytest
from crane.results.published import LANGSPEC_F1, beside
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
