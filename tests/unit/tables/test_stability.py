"""The tables of stability say what was measured."""

import numpy as np
import pytest
from crane.names import TABLE_FORMS
from crane.results.labels import ResultsError
from crane.selection.stability import overlap
from crane.tables.rendering import render
from crane.tables.stability import overlap_table, stability_table
from support import stability_results
from support.stability_results import GROUPS, LABELS, WIDTH


@pytest.fixture(scope="module")
def masks():
    return stability_results.masks()


@pytest.fixture(scope="module")
def measured():
    return stability_results.measured()


def test_the_table_says_why_there_are_no_halves(measured):
    shown = stability_table(measured, LABELS, shards=1)
    assert any("one shard per language" in note for note in shown.notes)
    assert (shown.cells["Split halves", "Jaccard"] == "–").all()
    halved = measured.assign(
        split_half=[0.25, 0.5, *[np.nan] * 4], by_chance=0.05, neurons_even=8.0, neurons_odd=9.0, reason=None
    )
    shown = stability_table(halved, LABELS, shards=2)
    assert shown.cells["Split halves", "Jaccard"].tolist() == ["0.2500", "0.5000", "–", "–"]
    assert shown.cells["Split halves", "Neurons"].tolist() == ["8 / 9"] * 2 + ["–"] * 2
    assert shown.cells["", "Method"].tolist()[-1] == "Random (2 seeds)"
    failed = halved.assign(split_half=np.nan, reason=["no neuron", *[None] * 5])
    assert any("no neuron" in note for note in stability_table(failed, LABELS, shards=2).notes)
    for form in TABLE_FORMS:
        assert render(shown, "stability", form)
    with pytest.raises(ResultsError, match="no row for mask set 'random'"):
        stability_table(measured[measured["label"] == "crane"], LABELS, shards=2)


def test_the_overlap_table_shows_every_pair(masks):
    pairs = overlap(masks, GROUPS, WIDTH)
    shown = overlap_table(pairs, LABELS)
    assert len(shown.tidy) == 16 and len(shown.cells) == 4
    values = pairs.set_index(["label", "mask_language", "other_label", "other_language"])["jaccard"]
    assert shown.cells["Other languages", "zh"][0] == f"{values['crane', 'en', 'crane', 'zh']:.3f}"
    assert (
        shown.cells["Other mask sets, same language", "Random"][1]
        == f"{values['crane', 'zh', 'random', 'zh']:.3f}"
    )
