"""The tables of selectivity and of double dissociation show every suite, model and mask."""

import pandas as pd
import pytest
from crane.errors import CraneError
from crane.results.labels import Labels
from crane.tables.rendering import render
from crane.tables.selectivity import dissociation_table, selectivity_table
from support.masked_answers import SHOWN, contrasts


@pytest.fixture(scope="module")
def measured() -> dict[str, pd.DataFrame]:
    return contrasts()


def cells_of(table) -> pd.DataFrame:
    frame = table.cells
    return frame.set_index(list(frame.columns[:3]))


def test_selectivity_has_a_row_per_mask_and_columns_per_model(measured: dict[str, pd.DataFrame]) -> None:
    table = selectivity_table(measured, SHOWN, resamples=500)
    cells = cells_of(table)
    assert list(dict.fromkeys(cells.index.get_level_values(0))) == ["NLU", "Perplexity"]
    assert len(cells) == 3 * 3 + 2 * 3, "no perplexity of the destroyed model was measured"
    own = cells.loc[("NLU", "Selective", "en"), "Base"]
    assert (own["D"], own["Against"]) == ("+0.2000", "vi")
    low, high = map(float, own["95% interval"].strip("[]").split(", "))
    assert 0.05 < low < 0.2 < high < 0.35
    assert float(own["p (Holm)"].removeprefix("<")) < 0.05
    destroyed = cells.loc[("NLU", "Destroyed", "zh"), "Chat"]
    assert destroyed[["D", "95% interval", "p (Holm)"]].tolist() == ["0.0000", "[0.000, 0.000]", "1.000"]
    chat = cells["Chat"].loc["Perplexity"]
    assert (chat == "–").all(axis=None)
    assert cells.loc[("Perplexity", "Selective", "zh"), ("Base", "D")] == "−0.2300"
    assert any("F1 rewards damage" in note for note in table.notes)
    for form in ("csv", "md", "tex", "txt", "html"):
        assert "nan" not in render(table, "selectivity", form)


def test_seeds_are_counted_in_place_of_their_p(measured: dict[str, pd.DataFrame]) -> None:
    """Masked English, one seed costs three questions in every language, the other twenty in English."""
    table = selectivity_table(measured, SHOWN, resamples=500)
    row = cells_of(table).loc[("NLU", "Random (2 seeds)", "en"), "Base"]
    assert row.tolist() == ["+0.1000", "[0.000, 0.200]‡", "–", "1 of 2"]
    tidy = table.tidy.query("mask_set == 'random' and suite == 'quiz'")
    assert tidy[["d_p", "d_p_holm", "d_language"]].isna().all(axis=None) and set(tidy["seeds"]) == {2}


def test_holm_counts_the_masks_of_a_suite_and_model_that_are_no_null(
    measured: dict[str, pd.DataFrame],
) -> None:
    tidy = selectivity_table(measured, SHOWN, resamples=500).tidy
    quiz = tidy[(tidy["suite"] == "quiz") & (tidy["model"] == "base") & tidy["d_p"].notna()]
    assert len(quiz) == 6
    assert quiz["d_p_holm"].min() == pytest.approx(6 * quiz["d_p"].min())


def test_dissociation_has_a_row_per_pair(measured: dict[str, pd.DataFrame]) -> None:
    table = dissociation_table(measured, SHOWN, resamples=500)
    cells = cells_of(table)
    assert len(cells) == 3 * 3 + 2 * 3
    both = cells.loc[("NLU", "Selective", "en – zh"), "Base"]
    assert both[["First masked", "Second masked"]].tolist() == ["+0.2600", "+0.2300"]
    assert float(both["p"].removeprefix("<")) < 0.01
    one = cells.loc[("NLU", "Selective", "en – vi"), "Base"]
    assert one[["First masked", "Second masked"]].tolist() == ["+0.2000", "+0.0100"] and float(one["p"]) > 0.2
    assert cells.loc[("NLU", "Random (2 seeds)", "en – zh"), ("Base", "p")] == "0 of 2"
    assert {"first", "second", "first_p", "second_p", "p", "p_holm"} <= set(table.tidy)


def test_one_model_needs_no_group_and_other_results_are_refused(measured: dict[str, pd.DataFrame]) -> None:
    alone = Labels(SHOWN.languages, SHOWN.mask_sets, SHOWN.benchmarks, {"base": "Base"})
    table = selectivity_table(measured, alone, resamples=500)
    assert {group for group, _ in table.cells} == {""} and table.title == "Selectivity of every mask on Base."
    unknown = Labels(SHOWN.languages, SHOWN.mask_sets, SHOWN.benchmarks, {"other": "Other"})
    with pytest.raises(CraneError, match="no results of a mask set and a model"):
        selectivity_table(measured, unknown, resamples=500)
