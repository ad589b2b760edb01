"""The heatmap of drops draws what the frames hold."""

import numpy as np
import pandas as pd
import pytest
from crane.figures.drops import drop_heatmap
from crane.results.labels import ResultsError
from support.published_results import BASE, EVERY, LANGUAGES, published


@pytest.mark.parametrize("suite", ["exam", "open"])
def test_heatmap_equals_the_drops(suite: str):
    scores, f1 = published()
    figure = drop_heatmap(scores, f1, EVERY, model=BASE, suite=suite)
    heat, bars = figure.axes[:2]
    benchmarks = EVERY.benchmarks_of(suite)
    drops = scores[(scores["model"] == BASE) & (scores["suite"] == suite)].pivot(
        index=["method", "mask_language"], columns="benchmark", values="drop"
    )
    order = pd.MultiIndex.from_product([EVERY.mask_sets, LANGUAGES])
    np.testing.assert_allclose(heat.images[0].get_array(), drops.loc[order, benchmarks])
    lowest, highest = heat.images[0].get_clim()
    assert lowest == -highest
    expected = f1[(f1["model"] == BASE) & (f1["suite"] == suite)].set_index(["method", "mask_language"])["f1"]
    np.testing.assert_allclose([bar.get_width() for bar in bars.patches], expected.loc[order])
    framed = [frame.get_xy() for frame in heat.patches]
    targets = [EVERY.benchmarks[name]["language"] for name in benchmarks]
    assert [round(x + 0.48) for x, _ in framed] == [targets.index(code) for _, code in order]


def test_a_missing_benchmark_is_named():
    scores, f1 = published()
    with pytest.raises(ResultsError, match="benchmark 'mmlu'"):
        drop_heatmap(scores[scores["benchmark"] != "mmlu"], f1, EVERY, model=BASE, suite="exam")


def test_the_colours_end_at_the_largest_drop_of_a_mask_that_selects():
    scores, f1 = published()
    scores, f1 = (
        frame.assign(method=frame["method"].where(frame["label"] != "lape", "all")) for frame in (scores, f1)
    )
    scores.loc[scores["label"] == "lape", "drop"] = 0.4
    figure = drop_heatmap(scores, f1, EVERY, model=BASE, suite="exam")
    selecting = scores[(scores["model"] == BASE) & (scores["suite"] == "exam") & (scores["method"] != "all")]
    assert figure.axes[0].images[0].get_clim()[1] == pytest.approx(selecting["drop"].abs().max())
    assert figure.axes[0].images[0].colorbar.extend == "max"
