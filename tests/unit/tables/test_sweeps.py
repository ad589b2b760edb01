"""What the tables of the sweeps show is what was scored, and no winner is shown where it was chosen."""

import pytest
from crane.names import TABLE_FORMS
from crane.results.cells import NOTHING
from crane.results.labels import ResultsError
from crane.scores.sweeps import ALL, DISCOVERY, VALIDATION
from crane.tables.rendering import render
from crane.tables.sweeps import sweep_table
from support import sweep_results
from support.sweep_results import LABELS


@pytest.fixture(scope="module")
def threshold():
    return sweep_results.threshold()


@pytest.fixture(scope="module")
def budget():
    return sweep_results.budget()


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
    for form in TABLE_FORMS:
        assert render(table, "sweep_threshold", form)


def test_draws_at_one_budget_are_one_row(budget):
    table = sweep_table(budget, LABELS, sweep="budget", suite="quiz", resamples=200)
    assert list(table.cells["", "Method"]) == ["CRANE (threshold)"] * 2 + ["Random (2 seeds)"] * 2
    assert list(table.cells["", "Setting"]) == ["5%", "10%", "5%", "10%"]
    own = budget[(budget["label"] == "r") & (budget["setting"] == "5%")]
    assert table.tidy["f1"].iloc[2] == pytest.approx(own["f1"].mean())
    assert table.cells["", "95% interval"].iloc[2] == f"[{own['f1'].min():.3f}, {own['f1'].max():.3f}]‡"
    assert table.cells["", "Neurons"].tolist() == ["10", "20", "15", "25"]


def test_a_mask_set_of_another_study_is_refused(threshold):
    with pytest.raises(ResultsError, match="mask set 'y' is not in the study"):
        sweep_table(threshold.assign(label="y"), LABELS, sweep="threshold", suite="quiz", resamples=200)
