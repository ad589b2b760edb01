"""The heatmap of perplexity draws the ratios that were measured."""

import pytest
from crane.figures.perplexity import perplexity_heatmap
from support.perplexity_results import perplexities
from support.published_results import BASE, LANGUAGES, labels


@pytest.fixture(scope="module")
def table():
    return perplexities()


def test_the_heatmap_draws_the_ratios(table):
    shown = labels("lape", "crane", "random")  # no results for LAPE: it is left out
    figure = perplexity_heatmap(table, shown, model=BASE)
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in panels] == ["CRANE", "Random (2 seeds)"]
    values = table.set_index(["mask_set", "mask_language", "language"])["log_ratio"]
    for row, mask in enumerate(LANGUAGES):
        for column, text in enumerate(LANGUAGES):
            drawn = panels[0].images[0].get_array()[row, column]
            assert drawn == pytest.approx(values["crane", mask, text])
    assert len(panels[0].patches) == 3  # the framed diagonal
