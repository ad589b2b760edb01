"""The paper's study with the languages of the answers, which the paper does not print."""

import numpy as np
import pandas as pd

from support.published_results import study


def judged() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the study with languages of the answers: English mask, Chinese questions answered in English by half."""
    scores, f1 = study()
    told = scores["kind"] == "open"
    scores = scores.assign(in_language=np.where(told, 1.0, np.nan), unidentified=np.where(told, 2.0, np.nan))
    scores["score_in_language"] = scores["score"].where(told)
    scores["drop_switched"], scores["drop_lost"] = 0.0, scores["drop"]
    half = (
        (scores["mask_set"] == "crane")
        & (scores["mask_language"] == "zh")
        & (scores["benchmark"] == "open_zh")
    )
    scores.loc[half, ["in_language", "drop_switched"]] = [0.5, 0.75]
    scores["drop_lost"] -= scores["drop_switched"]
    scores.loc[scores["mask_set"] == "original", ["drop_switched", "drop_lost"]] = np.nan
    return scores, f1
