"""The figure of equal damage draws the drops of the sweep over budgets."""

import numpy as np
import pandas as pd
import pytest
from crane.figures.equal_damage import equal_damage
from support import sweep_results
from support.sweep_results import LABELS


@pytest.fixture(scope="module")
def budget() -> pd.DataFrame:
    return sweep_results.budget()


def test_curves_begin_at_the_unmasked_model_and_follow_the_budgets(budget: pd.DataFrame) -> None:
    figure = equal_damage(budget, LABELS, suite="quiz")
    (axes,) = figure.axes
    curves = {line.get_label(): line for line in axes.lines if not str(line.get_label()).startswith("_")}
    own = budget[budget["label"] == "x"].sort_values("value")
    np.testing.assert_allclose(curves["CRANE (threshold)"].get_xdata(), [0, *own["other_drop"]])
    np.testing.assert_allclose(curves["CRANE (threshold)"].get_ydata(), [0, *own["target_drop"]])
    drawn = budget[budget["label"] == "r"].groupby("value")[["other_drop", "target_drop"]].mean()
    np.testing.assert_allclose(curves["Random (2 seeds)"].get_xdata(), [0, *drawn["other_drop"]])
    np.testing.assert_allclose(curves["Random (2 seeds)"].get_ydata(), [0, *drawn["target_drop"]])


def test_larger_budgets_have_larger_markers(budget: pd.DataFrame) -> None:
    (axes,) = equal_damage(budget, LABELS, suite="quiz").figure.axes
    single = [line for line in axes.lines if len(line.get_xdata()) == 1]
    sizes = sorted({line.get_markersize() for line in single})
    assert len(sizes) == budget["value"].nunique() > 1
