"""How orders that several mask sets share are called."""

import pandas as pd
import pytest
from crane.results.calibration import calibration_rows
from crane.results.labels import Labels


@pytest.mark.parametrize(
    ("names", "called"),
    [
        (["CRANE (1%)"], "CRANE (1%)"),
        (["CRANE (1%)", "CRANE (3%)"], "CRANE (1%, 3%)"),
        (["PLND (MLP; up; 1%)", "PLND (MLP; up; 3%)"], "PLND (MLP; up; 1%, 3%)"),
        (["PLND (MLP; 1%)", "PLND (MLP; up; 3%)"], "PLND (MLP; 1%); PLND (MLP; up; 3%)"),
        (["CRANE", "CRANE (threshold)"], "CRANE; CRANE (threshold)"),
        (["CRANE (threshold)", "CRANE"], "CRANE (threshold); CRANE"),
        (["LAPE", "LAPE, matched"], "LAPE; LAPE, matched"),
    ],
)
def test_sets_that_differ_in_the_end_of_their_brackets_have_one_name(names: list[str], called: str) -> None:
    sets = {f"set_{number}": name for number, name in enumerate(names)}
    row = {
        "criterion": "set_0",
        "mask_sets": ",".join(sets),
        "language": "en",
        "kind": "neuron",
        "measure": "change",
    }
    found = calibration_rows(pd.DataFrame([row]), Labels({"en": "English"}, sets))
    assert found["name"].tolist() == [called]
