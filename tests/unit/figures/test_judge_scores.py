"""The figure about judging draws what the scores hold."""

import numpy as np
import pandas as pd
from crane.figures.judge_scores import judge_scores
from support.judged_results import judged
from support.published_results import BASE, EVERY, LANGUAGES


def test_the_figure_draws_scores_intervals_and_shares():
    scores, _ = judged()
    figure = judge_scores(scores, EVERY, model=BASE)
    assert len(figure.axes) == 3
    for axes, benchmark in zip(figure.axes, EVERY.benchmarks_of("open"), strict=True):
        own = scores[(scores["model"] == BASE) & (scores["benchmark"] == benchmark)]
        assert axes.lines[0].get_xdata()[0] == own[own["method"] == "original"]["score"].iloc[0]
        points = [line.get_xdata()[0] for line in axes.lines[1:]]
        expected = own[own["method"] != "original"].groupby(["method", "mask_language"])["score"].mean()
        order = pd.MultiIndex.from_product([EVERY.mask_sets, LANGUAGES])
        np.testing.assert_allclose(points, expected.loc[order])
        written = [text.get_text() for text in axes.texts]
        assert written == (["50%"] if benchmark == "open_zh" else [])
    assert "by GPT-4" in figure.get_supxlabel()
