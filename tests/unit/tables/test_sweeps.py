"""What the sweeps' tables and figures show is what was scored, and no winner is shown where it was chosen."""

import numpy as np
import pytest
from crane.figures.sweeps import draw
from crane.results.cells import NOTHING
from crane.results.labels import Labels, ResultsError
from crane.scores.sweeps import ALL, DISCOVERY, VALIDATION, score_sweep
from crane.tables.rendering import render
from crane.tables.sweeps import sweep_table
from test_sweeps import QUIZ, SETS, answers, points

LABELS = Labels(
    languages={"en": "English"},
    benchmarks={
        name: {"label": name, "language": b["language"], "kind": "nlu", "suite": "quiz"} for name, b in QUIZ.items()
    },
    mask_sets={"x": "CRANE (threshold)", "r": "Random"},
    models={"base": "Base"},
)  # fmt: skip


def scored(own, halves):
    counts = {name: {"en": 10 * place} for place, name in enumerate(SETS, 1)}
    return score_sweep(answers(), QUIZ, own, counts, halves=halves, resamples=200, seed=0)


@pytest.fixture(scope="module")
def threshold():
    return scored(points(), halves=True)


@pytest.fixture(scope="module")
def budget():
    """Two budgets of one set and two draws at each; `a` is shared."""
    common = {"varied": "budget", "configured": False}
    own = [
        {**common, "mask_set": "a", "group": "x", "method": "crane", "setting": "5%", "value": 0.05},
        {**common, "mask_set": "b", "group": "x", "method": "crane", "setting": "10%", "value": 0.1},
    ]
    drawn = [("a", "5%", 0.05), ("b", "5%", 0.05), ("b", "10%", 0.1), ("c", "10%", 0.1)]
    own += [{**common, "mask_set": name, "group": "r", "method": "random", "setting": setting, "value": value}
            for name, setting, value in drawn]  # fmt: skip
    return scored(own, halves=False)


def test_the_validation_half_is_shown_for_the_chosen_and_the_own_setting_alone(threshold):
    table = sweep_table(threshold, LABELS, sweep="threshold", suite="quiz", resamples=200)
    assert list(table.cells["", "Setting"]) == ["a", "b", "c (chosen)"]
    assert [cell == NOTHING for cell in table.cells["Validation half", "LangSpec-F1"]] == [False, True, False]
    for part, group in ((DISCOVERY, "Discovery half"), (VALIDATION, "Validation half")):
        own = threshold[threshold["part"] == part].set_index("mask_set")
        assert table.cells[group, "LangSpec-F1"].iloc[2] == f"{own.loc['c', 'f1']:.4f}"
    assert ALL not in set(table.tidy["part"]), "nor are questions that chose it mixed in"
    assert set(table.tidy.loc[table.tidy["part"] == VALIDATION, "setting"]) == {"a", "c"}
    assert "hash" in " ".join(table.notes)
    for form in ("csv", "md", "tex", "txt"):
        assert render(table, form)


def test_draws_at_one_budget_are_one_row(budget):
    table = sweep_table(budget, LABELS, sweep="budget", suite="quiz", resamples=200)
    assert list(table.cells["", "Method"]) == ["CRANE (threshold)"] * 2 + ["Random (2 seeds)"] * 2
    assert list(table.cells["", "Setting"]) == ["5%", "10%", "5%", "10%"]
    own = budget[(budget["label"] == "r") & (budget["setting"] == "5%")]
    assert table.tidy["f1"].iloc[2] == pytest.approx(own["f1"].mean())
    assert table.cells["", "95% interval"].iloc[2] == f"[{own['f1'].min():.3f}, {own['f1'].max():.3f}]‡"
    assert table.cells["", "Neurons"].tolist() == ["10", "20", "15", "25"]


def test_curves_are_the_scores(budget):
    figure = draw(budget, LABELS, "budget", "quiz")
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
    figure = draw(table, LABELS, "intervention", "quiz")
    line, mean = figure.axes[0].lines[:2]
    f1 = table.set_index("mask_set")["f1"]
    np.testing.assert_allclose(line.get_xdata(), [0.5, 1, 2])
    np.testing.assert_allclose(line.get_ydata(), [f1["a"], 0, f1["b"]])
    assert list(mean.get_ydata()) == [f1["c"]] and mean.get_xdata()[0] > 2
    assert [tick.get_text() for tick in figure.axes[-1].get_xticklabels()] == ["0.5", "1", "2", "mean"]


def test_thresholds_show_their_counts_and_ablations_every_setting(threshold):
    figure = draw(threshold, LABELS, "threshold", "quiz")
    assert len(figure.axes) == 4
    np.testing.assert_allclose(figure.axes[-1].lines[0].get_ydata(), [10, 20, 30])
    own = [{**point, "varied": "" if point["configured"] else "statistic"} for point in points()]
    figure = draw(scored(own, halves=True), LABELS, "ablation", "quiz")
    names = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert names == ["CRANE (threshold), reference", "statistic: b", "statistic: c"]
    drawn = [line.get_xdata()[0] for line in figure.axes[0].lines if len(line.get_xdata()) == 1]
    everything = threshold[threshold["part"] == ALL]["f1"]
    np.testing.assert_allclose(sorted(drawn), sorted(everything))


def test_a_mask_set_of_another_study_is_refused(threshold):
    with pytest.raises(ResultsError, match="mask set 'y' is not in the study"):
        sweep_table(threshold.assign(label="y"), LABELS, sweep="threshold", suite="quiz", resamples=200)
