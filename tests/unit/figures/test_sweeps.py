"""What the figures of the sweeps draw is what was scored."""

import numpy as np
import pytest
from crane.figures.sweeps import sweep_figure
from crane.scores.sweeps import ALL
from support import sweep_results
from support.sweep_results import LABELS, points, scored


@pytest.fixture(scope="module")
def threshold():
    return sweep_results.threshold()


@pytest.fixture(scope="module")
def budget():
    return sweep_results.budget()


def test_curves_are_the_scores(budget):
    figure = sweep_figure(budget, LABELS, sweep="budget", suite="quiz")
    f1, drop, other = figure.axes
    lines = {
        line.get_label(): line
        for line in f1.lines
        if line.get_label() in ("CRANE (threshold)", "Random (2 seeds)")
    }
    own = budget[budget["label"] == "x"]
    np.testing.assert_allclose(lines["CRANE (threshold)"].get_ydata(), own["f1"])
    drawn = budget[budget["label"] == "r"].groupby("value")["f1"].mean()
    np.testing.assert_allclose(lines["Random (2 seeds)"].get_ydata(), drawn)
    np.testing.assert_allclose(lines["Random (2 seeds)"].get_xdata(), np.log2(drawn.index))
    np.testing.assert_allclose(drop.lines[0].get_ydata(), own["target_drop"])
    np.testing.assert_allclose(other.lines[0].get_ydata(), own["other_drop"])
    assert [tick.get_text() for tick in other.get_xticklabels()] == ["5%", "10%"]


def test_the_scale_1_is_the_unmasked_model():
    own = [
        {"mask_set": name, "group": "x", "method": "crane", "varied": "intervention", "setting": setting,
         "value": value, "configured": False}
        for name, setting, value in (("a", "× 0.5", 0.5), ("b", "× 2", 2.0), ("c", "mean", None))
    ]  # fmt: skip
    table = scored(own, halves=False)
    figure = sweep_figure(table, LABELS, sweep="intervention", suite="quiz")
    line, mean = figure.axes[0].lines[:2]
    f1 = table.set_index("mask_set")["f1"]
    np.testing.assert_allclose(line.get_xdata(), [0.5, 1, 2])
    np.testing.assert_allclose(line.get_ydata(), [f1["a"], 0, f1["b"]])
    assert list(mean.get_ydata()) == [f1["c"]] and mean.get_xdata()[0] > 2
    assert [tick.get_text() for tick in figure.axes[-1].get_xticklabels()] == ["0.5", "1", "2", "mean"]


def test_thresholds_show_their_counts_and_ablations_every_setting(threshold):
    figure = sweep_figure(threshold, LABELS, sweep="threshold", suite="quiz")
    assert len(figure.axes) == 4
    np.testing.assert_allclose(figure.axes[-1].lines[0].get_ydata(), [10, 20, 30])
    own = [{**point, "varied": "" if point["configured"] else "statistic"} for point in points()]
    figure = sweep_figure(scored(own, halves=True), LABELS, sweep="ablation", suite="quiz")
    names = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert names == ["CRANE (threshold), reference", "statistic: b", "statistic: c"]
    drawn = [line.get_xdata()[0] for line in figure.axes[0].lines if len(line.get_xdata()) == 1]
    everything = threshold[threshold["part"] == ALL]["f1"]
    np.testing.assert_allclose(sorted(drawn), sorted(everything))
