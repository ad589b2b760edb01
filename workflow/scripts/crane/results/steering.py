"""Results of steering in the study's order, for the table and the figure."""

import pandas as pd

from crane.names import ORIGINAL
from crane.results.labels import Labels, ResultsError
from crane.scores.steering import KINDS

NAMES = {
    "target": "target language", "asked": "language asked in", "other": "another language",
    "undecided": "undecided",
}  # fmt: skip
"""Kind of an answer's language -> what it is called."""
RANGED = {"target_share": "target", "shift_share": "shift"}
"""Value -> beginning of the names of its bounds."""


def steering_rows(steering: pd.DataFrame, labels: Labels) -> pd.DataFrame:
    """Return one row per pair of languages and mask set, the unmasked model first.

    Seeds are averaged, and their bounds are the smallest and largest seed (`seeds` counts them).

    Args:
        steering: of `crane.scores.steering.summarise`, with `label` and `method`.
        labels: of the study.

    Raises:
        ResultsError: no results, or of a mask set that the study does not have.
    """
    unknown = set(steering["label"]) - {ORIGINAL, *labels.mask_sets}
    if steering.empty or unknown:
        raise ResultsError(f"steering: {f'no mask set {min(unknown)!r}' if unknown else 'no results'}")
    keys = ["asked", "target", "label", "method"]
    groups = steering.groupby(keys, sort=False)
    rows = groups[list(steering.select_dtypes("number").columns)].mean()
    rows["seeds"] = groups.size()
    several = rows["seeds"] > 1
    for value, name in RANGED.items():
        for end, bound in (("low", groups[value].min()), ("high", groups[value].max())):
            rows[f"{name}_{end}"] = rows[f"{name}_{end}"].mask(several, bound)
    rows = rows.reset_index()
    sets = [ORIGINAL, *(label for label in labels.mask_sets if label in set(rows["label"]))]
    order = {name: place for place, name in enumerate([*labels.languages, *sets])}
    return rows.sort_values(
        ["asked", "target", "label"], key=lambda column: column.map(order), kind="stable"
    ).reset_index(drop=True)


def shares_of(row: pd.Series) -> list[float]:
    """Return the shares of `KINDS` in a row."""
    return [float(row[f"{kind}_share"]) for kind in KINDS]
