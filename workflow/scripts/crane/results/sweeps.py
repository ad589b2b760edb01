"""Points of a sweep in the study's order, for tables and figures."""

import pandas as pd

from crane.results.frames import seed_means
from crane.results.labels import Labels, ResultsError

PLACE = ["label", "varied", "setting", "mask_language"]
"""What a row of a sweep's table is, seeds apart."""


VARIED = {"statistic": "statistic", "normalise": "scale", "rule": "rule", "relevance": "relevance"}


def points_of(table: pd.DataFrame, part: str, labels: Labels) -> pd.DataFrame:
    """Return one row per point and mask language of one part of the questions, seeds averaged, in order.

    Raises:
        ResultsError: a point names a mask set that the study does not.
    """
    unknown = set(table["label"]) - set(labels.mask_sets)
    if unknown:
        raise ResultsError(f"sweep: mask set {min(unknown)!r} is not in the study")
    frames = []
    for _, rows in table[table["part"] == part].groupby(PLACE[:3], sort=False):
        means = seed_means(rows.drop(columns=["value", "configured", "chosen"]))
        first = rows.iloc[0]
        for column in ("varied", "setting", "value", "configured", "chosen"):
            means[column] = first[column]
        frames.append(means)
    points = pd.concat(frames, ignore_index=True)
    place = {code: number for number, code in enumerate(labels.languages)}
    points["at"] = points["mask_language"].map(place)
    return points.sort_values(["order", "at"], kind="stable").drop(columns="at").reset_index(drop=True)


def setting_name(varied: str, setting: str) -> str:
    """Return how a point's setting is shown."""
    if not varied:
        return "reference"
    return f"{VARIED[varied]}: {setting}" if varied in VARIED else setting
