"""Rank correlations of two criteria in two languages."""

import pandas as pd
from crane.results.labels import Labels
from crane.scores.calibration import MEASURES

LABELS = Labels(
    {"en": "English", "zh": "Chinese"}, {"crane": "CRANE", "contrast": "CRANE (threshold)", "lape": "LAPE"}
)
MEASURED = {"neurons": 512, "groups": 64, "group_size": 32, "documents": 20, "max_tokens": 24, "seed": 0}


def results() -> pd.DataFrame:
    """Return them in no particular order; the standard deviation has .4, CRANE's order −.1, the ceiling is .8."""
    rows = [
        {
            "kind": kind, "measure": measure, "criterion": criterion, "mask_sets": sets, "language": language,
            "units": 64, "spearman": value, "low": value - 0.1, "high": value + 0.1, "reliability": 0.64,
            "ceiling": 0.8, "of_ceiling": value / 0.8,
        }
        for kind in ("group", "neuron") for measure in MEASURES
        for criterion, sets, value in (("std", "", 0.4), ("order_crane", "crane,contrast", -0.1))
        for language in ("zh", "en")
    ]  # fmt: skip
    return pd.DataFrame(rows)
