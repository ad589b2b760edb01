"""The printed numbers beside a run that has those very numbers."""

from typing import Any

import pandas as pd
from crane.results.arguments import read
from crane.results.published import beside, printed

from support.places import PUBLISHED
from support.published_results import BASE, CHAT, EVERY, study

MAPPING: dict[str, Any] = {
    "same_model": True,
    "models": {BASE: BASE, CHAT: CHAT},
    "mask_sets": {"lape": "lape", "crane": "crane", "random": "random"},
    "benchmarks": {name: name for name in ("mmlu", "ceval", "belebele_vi", "open_en", "open_zh", "open_vi")},
}


def printed_files() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the paper's scores and its LangSpec-F1, as the rules read them."""
    scores, f1 = (read(str(PUBLISHED / f"{name}.csv")) for name in ("scores", "langspec_f1"))
    return scores, f1


def paper() -> pd.DataFrame:
    """Return the printed numbers."""
    return printed(*printed_files())


def run(shift: float = 0.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores and LangSpec-F1 of a run whose scores are all off by `shift`."""
    scores, f1 = study()
    shifted = {column: scores[column] + shift for column in ("score", "low", "high")}
    return scores.assign(**shifted), f1


def rows(
    paper: pd.DataFrame, suite: str = "exam", shift: float = 0.0, mapping: dict[str, Any] = MAPPING
) -> pd.DataFrame:
    """Return the printed numbers beside those of `run`."""
    scores, f1 = run(shift)
    return beside(paper, scores, f1, EVERY, mapping, model=BASE, suite=suite)
