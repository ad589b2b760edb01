"""The figure of double dissociation draws the smaller difference of every pair of languages."""

import numpy as np
import pytest
from crane.figures.double_dissociation import double_dissociation
from crane.figures.style import Style
from crane.results.labels import Labels
from crane.results.selectivity import dissociation_rows, pairs_of
from matplotlib.axes import Axes
from support.masked_answers import SHOWN, contrasts


def points(axes: Axes) -> list[tuple[float, float, bool]]:
    """Return the points of a panel: difference, height, filled or not."""
    drawn = [line for line in axes.lines if line.get_marker() not in ("None", "", None)]
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]), line.get_markerfacecolor() != "white")
        for line in drawn
    ]


@pytest.mark.parametrize("width", [6.9, 3.3])
def test_every_pair_stands_in_its_row(width: float) -> None:
    measured = contrasts()
    rows = dissociation_rows(measured, SHOWN)
    figure = double_dissociation(measured, SHOWN, style=Style(width=width))
    titles = ["NLU, Base", "NLU, Chat", "Perplexity, Base"]
    assert [axes.get_title(loc="left") for axes in figure.axes] == titles
    for axes, (suite, model) in zip(
        figure.axes, [("quiz", "base"), ("quiz", "chat"), ("perplexity", "base")], strict=True
    ):
        here = rows[(rows["suite"] == suite) & (rows["model"] == model)]
        found = points(axes)
        assert [x for x, *_ in found] == pytest.approx(here["difference"].tolist())
        heights = np.array([height for _, height, _ in found])
        assert (np.diff(heights) > 0).all(), "mask sets and pairs from the top to the bottom"
        assert [filled for *_, filled in found] == (here["p_holm"] < 0.05).tolist()
    assert any(filled for *_, filled in points(figure.axes[0]))


def test_suites_of_one_model_stand_side_by_side() -> None:
    alone = Labels(SHOWN.languages, SHOWN.mask_sets, SHOWN.benchmarks, {"base": "Base"})
    figure = double_dissociation(contrasts(), alone)
    first, second = figure.axes
    assert (first.get_title(loc="left"), second.get_title(loc="left")) == ("NLU", "Perplexity")
    assert first.get_subplotspec().rowspan == second.get_subplotspec().rowspan
    names = [label.get_text() for label in first.get_yticklabels()]
    assert names == ["Selective", "Destroyed", "Random (2 seeds)"], (
        "the second panel leaves room for the destroyed model"
    )
    assert len(points(second)) == 2 * len(pairs_of(alone))
