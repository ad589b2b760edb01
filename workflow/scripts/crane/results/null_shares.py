"""What share of its neurons a rule selects without any difference of language."""

import pandas as pd


def null_shares(selection_null: pd.DataFrame) -> pd.DataFrame:
    """Return expected, observed and identical (means over the groups) and their `share`, expected over observed.

    The index is label and language; a rule that selects nothing from the real languages has no share.
    """
    named = selection_null.rename(columns={"mask_set": "label", "mask_language": "language"})
    means = named.groupby(["label", "language"], sort=False)[["expected", "observed", "identical"]].mean()
    means["share"] = (means["expected"] / means["observed"]).where(means["observed"] > 0)
    return means
