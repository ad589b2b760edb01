"""The table of the calibration says what was measured, and what its noise forbids to say."""

import pandas as pd
import pytest
from crane.names import TABLE_FORMS
from crane.results.labels import Labels, ResultsError
from crane.tables.calibration import calibration_table
from crane.tables.rendering import render
from support.calibration_results import LABELS, MEASURED, results


def test_every_criterion_has_its_row_and_every_block_its_ceiling():
    shown = calibration_table(results(), LABELS, resamples=500, measured=MEASURED)
    heads = shown.cells[[("", "Zeroed"), ("", "Effect"), ("", "Criterion")]].to_numpy().tolist()
    names = ["Standard deviation", "CRANE; CRANE (threshold)", "Ceiling"]
    blocks = [
        (zeroed, effect)
        for zeroed in ("512 neurons", "64 groups of 32")
        for effect in ("Own loss", "Own minus largest other")
    ]
    assert heads == [[*block, name] for block in blocks for name in names]
    assert shown.cells["English", "Correlation"][:3].tolist() == ["+0.40", "−0.10", "+0.80"]
    assert shown.cells["English", "95% interval"][:3].tolist() == ["[+0.30, +0.50]", "[−0.20, 0.00]", "–"]
    assert shown.cells["English", "Of ceiling"][:3].tolist() == ["+0.50", "−0.12", "–"]
    assert set(shown.tidy["measure"]) == {"change", "specific", "specific_mean"}
    for form in TABLE_FORMS:
        assert render(shown, "calibration", form)


def test_without_a_ceiling_nothing_is_divided_by_it():
    noisy = results()
    noisy.loc[noisy["language"] == "zh", ["reliability", "ceiling", "of_ceiling"]] = float("nan")
    shown = calibration_table(noisy, LABELS, resamples=500, measured=MEASURED)
    assert set(shown.cells["Chinese", "Of ceiling"]) == {"–"}
    assert shown.cells["Chinese", "Correlation"][2] == "–" and "–" not in set(
        shown.cells["Chinese", "Correlation"][:2]
    )


def test_results_of_another_study_are_refused():
    with pytest.raises(ResultsError, match="mask set 'crane'"):
        calibration_table(results(), Labels(LABELS.languages), resamples=1, measured=MEASURED)
    with pytest.raises(ResultsError, match="language 'zh'"):
        calibration_table(
            results(), Labels({"en": "English"}, LABELS.mask_sets), resamples=1, measured=MEASURED
        )
    with pytest.raises(ResultsError, match="no results"):
        calibration_table(pd.DataFrame(columns=results().columns), LABELS, resamples=1, measured=MEASURED)
