"""The published numbers beside a run, as a table."""

import pytest
from crane.names import TABLE_FORMS
from crane.results.published import errata, heading
from crane.tables.published import published_table
from crane.tables.rendering import render
from support import published_beside
from support.published_beside import MAPPING, printed_files, rows, run
from support.published_results import BASE, EVERY


@pytest.fixture(scope="module")
def paper():
    return published_beside.paper()


@pytest.mark.parametrize("same", [True, False])
def test_the_table_says_whether_the_model_differs(paper, same):
    mapping = {**MAPPING, "same_model": same}
    table = published_table(*run(), *printed_files(), EVERY, published=mapping, model=BASE, suite="open")
    assert ("The model differs" in table.notes[0]) != same
    assert ("as in the paper" in table.notes[0]) == same
    assert table.cells["Paper", "Value"].str.endswith("§").sum() == 3
    assert (table.cells["Paper", "Destroyed"] != "–").sum() == 9
    assert any("printed values are not above it" in note for note in table.notes)
    assert "Random en: 0.4514 instead of 0.4406" in table.notes[-1]
    for form in TABLE_FORMS:
        assert render(table, "published-base-open", form)
    assert errata(rows(paper)) == []
    assert len(heading(EVERY, mapping, BASE)) == 2
