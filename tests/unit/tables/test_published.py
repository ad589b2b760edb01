"""The published numbers beside a run, as a table."""

import pytest
from crane.results.published import errata, heading
from crane.tables.published import published_table
from crane.tables.rendering import render
from support import published_beside
from support.published_beside import MAPPING, rows
from support.published_results import BASE, EVERY


@pytest.fixture(scope="module")
def paper():
    return published_beside.paper()


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
