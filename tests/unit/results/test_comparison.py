"""All methods beside each other, on made-up results: what each row and each cell says."""

from typing import Any

import pandas as pd
import pytest
from crane.results.answers import DAMAGE, NO_LOSS, SELECTIVE
from crane.results.comparison import comparison_rows
from crane.results.labels import ResultsError
from crane.tables.comparison import methods_table
from support.made_up_methods import LABELS, contrasts, groups, stability, summaries

METHODS = {"Good": ["works", "idle"], "Bad": ["breaks"], "Chance": ["random"]}


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    calibration = pd.DataFrame(
        [
            {"kind": "neuron", "measure": "specific", "mask_sets": sets, "language": code, "spearman": value,
             "ceiling": 0.5}
            for sets, value in (("works,idle", 0.4), ("", 0.3), ("breaks", -0.1)) for code in ("en", "zh", "vi")
        ]
    )  # fmt: skip
    null = pd.DataFrame(
        [
            {"mask_set": "works", "mask_language": code, "group": group, "expected": 2 * group, "observed": 10,
             "identical": group}
            for code in ("en", "zh", "vi") for group in range(3)
        ]
    )  # fmt: skip
    return {
        "contrasts": {"contrasts": contrasts()}, "summaries": summaries(), "groups": groups(), "labels": LABELS,
        "stability": stability(), "selection_null": null, "calibration": calibration,
        "model": "base", "suite": "quiz", "methods": METHODS,
    }  # fmt: skip


def test_each_mask_has_its_facts(measured: dict[str, Any]) -> None:
    rows = comparison_rows(**measured)
    assert rows["name"].drop_duplicates().tolist() == list(METHODS)
    assert rows[["label", "mask_language"]].apply(tuple, axis=1).tolist() == [
        (label, code) for label in ("works", "idle", "breaks", "random") for code in ("en", "zh", "vi")
    ]
    by_label = rows.groupby("label", sort=False)
    assert by_label["verdict"].first().to_dict() == {
        "works": SELECTIVE, "idle": NO_LOSS, "breaks": DAMAGE, "random": None,
    }  # fmt: skip
    assert (rows["neurons"] == 12).all()
    works, chance = by_label.get_group("works"), by_label.get_group("random")
    assert works["d"].tolist() == pytest.approx([0.33] * 3) and (works["random_seeds"] == 4).all()
    assert works["null_share"].tolist() == pytest.approx([0.2] * 3)
    assert works["spearman"].tolist() == [0.4] * 3 and works["ceiling"].tolist() == [0.5] * 3
    assert (chance["seeds"] == 4).all() and set(chance["interval"]) == {"seeds"}
    assert chance[["null_share", "spearman", "split_half"]].isna().all(axis=None)


def test_the_table_has_a_row_per_mask_set(measured: dict[str, Any]) -> None:
    table = methods_table(**measured, adds={"works": "energy: 36 B"}, resamples=1000)
    cells = table.cells.set_index([("", "Method")])
    good, idle, bad, chance = (cells.iloc[number] for number in range(4))
    assert list(cells.index) == ["Good", "Good", "Bad", "Chance"]
    assert good["D", "Chinese"].startswith("+0.33§ [") and not idle["D", "Chinese"].count("§")
    assert good["", "Random"] == "0, 0, 0 of 4" and chance["", "Random"] == "–"
    assert good["", "Halves"] == "0.90" and good["", "Null"] == "20%"
    assert good["", "Calibration"] == "+0.40 of 0.50" and bad["", "Calibration"] == "−0.10 of 0.50"
    assert good["", "Adds"] == "energy: 36 B" and bad["", "Adds"] == "–"
    assert chance["D", "English"].endswith("‡")


def test_what_was_not_measured_has_no_column(measured: dict[str, Any]) -> None:
    without = {**measured, "selection_null": None, "calibration": None}
    table = methods_table(**without, adds={}, resamples=1000)
    assert not {"Null", "Calibration", "Adds"} & {name for _, name in table.cells}


def test_a_mask_set_without_results_is_refused(measured: dict[str, Any]) -> None:
    lacking = {**measured, "methods": {"Good": ["works"], "Chance": ["absent"]}}
    with pytest.raises(ResultsError, match="no results of mask set 'absent' on quiz"):
        comparison_rows(**lacking)
