"""The printed numbers beside a run that has those very numbers."""

import pandas as pd
from crane.results.published import beside, printed

from support.places import PUBLISHED
from support.published_results import BASE, CHAT, EVERY, study

MAPPING = {
    "models": {BASE: BASE, CHAT: CHAT},
    "mask_sets": {"lape": "lape", "crane": "crane", "random": "random"},
    "benchmarks": {name: name for name in ("mmlu", "ceval", "belebele_vi", "open_en", "open_zh", "open_vi")},
}


def paper() -> pd.DataFrame:
    """Return the printed numbers."""
    return printed(PUBLISHED / "scores.csv", PUBLISHED / "langspec_f1.csv")


def rows(
    paper: pd.DataFrame, suite: str = "exam", shift: float = 0.0, mapping: dict = MAPPING
) -> pd.DataFrame:
    """Return the printed numbers beside those of the run, all of whose scores are off by `shift`."""
    scores, f1 = study()
    scores = scores.assign(
        score=scores["score"] + shift, low=scores["low"] + shift, high=scores["high"] + shift
    )
    return beside(paper, scores, f1, EVERY, mapping, model=BASE, suite=suite)
