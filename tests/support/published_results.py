"""The paper's study, its printed numbers as the frames of the scores stage, and tables of them."""

import numpy as np
import pandas as pd
from crane.results.labels import Labels
from crane.tables import paper as tables
from crane.tables import rendering

from support.places import PUBLISHED

SIZES = {"mmlu": 14042, "ceval": 1346, "belebele_vi": 900}
LANGUAGES = {"en": "English", "vi": "Vietnamese", "zh": "Chinese"}
BENCHMARKS = {
    "mmlu": {"label": "MMLU (en)", "language": "en", "kind": "nlu", "suite": "exam"},
    "ceval": {"label": "C-Eval (zh)", "language": "zh", "kind": "nlu", "suite": "exam"},
    "belebele_vi": {"label": "Belebele_vi (vi)", "language": "vi", "kind": "nlu", "suite": "exam"},
    "open_en": {"label": "Open_en", "language": "en", "kind": "open", "suite": "open"},
    "open_vi": {"label": "Open_vi", "language": "vi", "kind": "open", "suite": "open"},
    "open_zh": {"label": "Open_zh", "language": "zh", "kind": "open", "suite": "open"},
}
MODELS = {"llama2-7b-base": "Base model", "llama2-7b-chat": "Chat model"}
BASE, CHAT = MODELS


def labels(*mask_sets: str) -> Labels:
    """Return the paper's study with some of its mask sets."""
    shown = {"lape": "LAPE", "crane": "CRANE", "random": "Random"}
    chosen = {name: shown[name] for name in mask_sets}
    return Labels(LANGUAGES, chosen, BENCHMARKS, MODELS, judge="GPT-4")


EVERY, TRANSFERRED = labels("lape", "crane", "random"), labels("lape", "crane")


def published() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the paper's numbers as the frames of the scores stage; what it does not print is undefined."""
    scores = pd.read_csv(PUBLISHED / "scores.csv")
    scores = scores.rename(columns={"evaluated_model": "model", "benchmark_language": "language"})
    scores = scores.assign(mask_set=scores["method"], label=scores["method"], missing=0)
    for column in ("kind", "suite"):
        scores[column] = scores["benchmark"].map(lambda name, column=column: BENCHMARKS[name][column])
    scores["n"] = scores["benchmark"].map(SIZES).fillna(70).astype(int)
    where = ["model", "benchmark"]
    original = scores[scores["method"] == "original"].set_index(where)["score"].rename("original")
    scores = scores.join(original, on=where)
    scores["drop"] = (scores["original"] - scores["score"]).where(scores["method"] != "original")
    scores["relative_drop"] = scores["drop"] / scores["original"]
    scores[["low", "high", "drop_low", "drop_high", "probability"]] = np.nan

    f1 = pd.read_csv(PUBLISHED / "langspec_f1.csv")
    f1 = f1.rename(columns={"evaluated_model": "model", "langspec_f1": "f1"})
    f1 = f1.assign(mask_set=f1["method"], label=f1["method"])
    f1["kind"] = f1["table"].map({"table1": "nlu", "table2": "open", "table3": "nlu", "table4": "open"})
    f1["suite"] = f1["kind"].map({"nlu": "exam", "open": "open"})
    losses = scores.set_index(["model", "suite", "mask_set", "mask_language"])[["language", "drop"]]
    f1["d"] = [
        _selectivity(losses.loc[[(row.model, row.suite, row.method, row.mask_language)]], row.mask_language)
        for row in f1.itertuples()
    ]
    undefined = [
        "neurons",
        "neurons_asked",
        "low",
        "high",
        "precision",
        "recall",
        "target_drop",
        "target_drop_low",
        "d_low",
        "d_high",
    ]
    f1[[*undefined, "target_drop_high", "other_drop", "distinguishable", "f1_probability"]] = np.nan
    return scores.drop(columns=["table", "original"]), f1.drop(columns="table")


def _selectivity(losses: pd.DataFrame, target: str) -> float:
    """Return the drop of the masked language minus the largest of the others'."""
    own = losses["language"] == target
    return float(losses.loc[own, "drop"].item() - losses.loc[~own, "drop"].max())


def study() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the published base model with three seeds of random and all intervals."""
    scores, f1 = (frame[frame["model"] == BASE] for frame in published())
    shifted_scores, shifted_f1 = [], []
    for seed, shift in enumerate((-0.01, 0.0, 0.02)):
        for frame, value, collected in ((scores, "score", shifted_scores), (f1, "f1", shifted_f1)):
            random = frame[frame["method"] == "random"]
            named = random.assign(mask_set=f"random-{seed}", **{value: random[value] + shift})
            collected.append(named)
    scores = pd.concat([scores[scores["method"] != "random"], *shifted_scores], ignore_index=True)
    f1 = pd.concat([f1[f1["method"] != "random"], *shifted_f1], ignore_index=True)
    scores = scores.assign(low=scores["score"] - 0.02, high=scores["score"] + 0.02, probability=0.5)
    f1 = f1.assign(low=f1["f1"] - 0.03, high=f1["f1"] + 0.03, neurons=1234, f1_probability=f1["f1"] / 2)
    return scores, f1.assign(distinguishable=f1["method"] == "crane")


def table(models: list[str], suite: str, chosen: Labels) -> rendering.Table:
    """Build one of the paper's tables."""
    return tables.score_table(
        *published(), chosen, suite=suite, models=models, identified_on=BASE, resamples=10_000
    )
