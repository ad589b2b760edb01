"""Sweeps of one setting of one mask set, as answered and as scored."""

from typing import Any

import numpy as np
import pandas as pd
from crane.results.labels import Labels
from crane.scores.sweeps import score_sweep

from support.answers import BENCHMARKS

SETS = {"a": 0.1, "b": 0.5, "c": 0.8}
QUIZ = {name: BENCHMARKS[name] for name in ("quiz_en", "quiz_zh")}


def answers(questions: int = 120) -> pd.DataFrame:
    """Three mask sets whose masks of `en` hurt English more and more, and Chinese a little."""
    rng = np.random.default_rng(0)
    rows = []
    for benchmark, hurt in (("quiz_en", 1.0), ("quiz_zh", 0.1)):
        for mask_set, loss in {"original": 0.0, **SETS}.items():
            right = rng.random(questions) >= loss * hurt
            for question in range(questions):
                rows.append(
                    {
                        "model": "base", "mask_set": mask_set, "benchmark": benchmark, "task": f"{benchmark}_task",
                        "mask_language": "none" if mask_set == "original" else "en", "doc_id": question,
                        "doc_hash": f"{benchmark}-{question}", "stratum": "", "cluster": f"{benchmark}_task/{question}",
                        "value": float(right[question]), "probability": 0.5,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def points() -> list[dict[str, Any]]:
    """Return the points of a sweep over the threshold, of which the study has the first."""
    return [
        {"mask_set": name, "group": "x", "method": "crane", "varied": "threshold", "setting": name, "value": loss,
         "configured": name == "a"}
        for name, loss in SETS.items()
    ]  # fmt: skip


LABELS = Labels(
    languages={"en": "English"},
    benchmarks={
        name: {"label": name, "language": b["language"], "kind": "nlu", "suite": "quiz"} for name, b in QUIZ.items()
    },
    mask_sets={"x": "CRANE (threshold)", "r": "Random"},
    models={"base": "Base"},
)  # fmt: skip


def scored(own: list[dict[str, Any]], halves: bool) -> pd.DataFrame:
    """Return the scores of some points; the masks have 10, 20 and 30 neurons."""
    counts = {name: {"en": 10 * place} for place, name in enumerate(SETS, 1)}
    return score_sweep(answers(), QUIZ, own, counts, halves=halves, resamples=200, seed=0)


def threshold() -> pd.DataFrame:
    """Return the scored sweep over the threshold, by halves of the questions."""
    return scored(points(), halves=True)


def budget() -> pd.DataFrame:
    """Two budgets of one set and two draws at each; `a` is shared."""
    common = {"varied": "budget", "configured": False}
    own = [
        {**common, "mask_set": "a", "group": "x", "method": "crane", "setting": "5%", "value": 0.05},
        {**common, "mask_set": "b", "group": "x", "method": "crane", "setting": "10%", "value": 0.1},
    ]
    drawn = [("a", "5%", 0.05), ("b", "5%", 0.05), ("b", "10%", 0.1), ("c", "10%", 0.1)]
    own += [{**common, "mask_set": name, "group": "r", "method": "random", "setting": setting, "value": value}
            for name, setting, value in drawn]  # fmt: skip
    return scored(own, halves=False)
