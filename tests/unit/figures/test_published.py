"""The published numbers beside a run, as a figure."""

import numpy as np
import pytest
from crane.figures.published import published_figure
from crane.results.published import LANGSPEC_F1
from support import published_beside
from support.published_beside import MAPPING, printed_files, rows, run
from support.published_results import BASE, EVERY


@pytest.fixture(scope="module")
def paper():
    return published_beside.paper()


def test_the_figure_draws_both(paper):
    found = rows(paper, shift=0.5)
    figure = published_figure(
        *run(shift=0.5), *printed_files(), EVERY, published=MAPPING, model=BASE, suite="exam"
    )
    assert len(figure.axes) == 4
    own, within, outside = figure.axes[0].lines
    here = found[found["measure"] == "mmlu"]
    np.testing.assert_allclose(own.get_xdata(), here["rerun"])
    assert len(within.get_xdata()) == 0
    np.testing.assert_allclose(outside.get_xdata(), here["paper"])
    assert figure.axes[-1].get_title() == LANGSPEC_F1
    assert figure.axes[0].get_title() == "MMLU (en), n = 14,042\npaper: MMLU"
    assert figure.legends[0].get_title().get_text() == "Model: LLaMA-2-7B, as in the paper"
