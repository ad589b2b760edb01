"""Answers under masks whose effect is given: how many questions of each language a mask costs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from crane.results.labels import Labels
from crane.scores.summary import summarise

LANGUAGES = ("en", "zh", "vi")
QUIZ = {
    f"quiz_{code}": {"language": code, "kind": "nlu", "suite": "quiz", "chance": 0.25, "highest": 1}
    for code in LANGUAGES
}
PARALLEL = {name: {**facts, "parallel": True} for name, facts in QUIZ.items()}

Lost = Mapping[tuple[str, str], Mapping[str, int]]
"""(mask set, mask language) -> language -> how many of its questions, the first ones, the mask costs."""


def quiz(lost: Lost, questions: int = 100) -> pd.DataFrame:
    """Return the answers to parallel questions, all of which the unmasked model answers rightly."""
    frames = []
    for (mask_set, target), by_language in {("original", "none"): {}, **lost}.items():
        for code in LANGUAGES:
            numbers = np.arange(questions)
            frames.append(
                pd.DataFrame({
                    "model": "base", "mask_set": mask_set, "mask_language": target, "benchmark": f"quiz_{code}",
                    "task": f"quiz_{code}", "doc_id": numbers, "doc_hash": [f"{code}{n}" for n in numbers],
                    "stratum": f"quiz_{code}", "cluster": [f"quiz_{code}/{n}" for n in numbers],
                    "value": (numbers >= by_language.get(code, 0)).astype(float), "probability": 0.5,
                })
            )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


MODELS = ("base", "chat")
SHOWN = Labels(
    {code: code for code in LANGUAGES},
    {"selective": "Selective", "destroyed": "Destroyed", "random": "Random"},
    {name: {"label": name, **facts} for name, facts in QUIZ.items()},
    {model: model.capitalize() for model in MODELS},
)
MASKS: Lost = {
    ("selective", "en"): {"en": 30, "zh": 4, "vi": 10},
    ("selective", "zh"): {"en": 2, "zh": 25, "vi": 2},
    ("selective", "vi"): {"en": 6, "zh": 6, "vi": 7},
    **{("destroyed", code): dict.fromkeys(LANGUAGES, 100) for code in LANGUAGES},
    **{("random-0", code): {"en": 3, "zh": 3, "vi": 3} for code in LANGUAGES},
    **{("random-1", code): {"en": 20} for code in LANGUAGES},
}


def contrasts() -> dict[str, pd.DataFrame]:
    """Return the contrasts of a suite on two models and of perplexity on the first, as the scores stage writes them."""
    suites = summarise(
        pd.concat([quiz(MASKS).assign(model=model) for model in MODELS]), PARALLEL, resamples=500
    ).contrasts
    read = suites[(suites["model"] == "base") & (suites["mask_set"] != "destroyed")]
    # Perplexity's are told apart by their sign: no mask is selective there.
    values = ["difference", "difference_low", "difference_high"]
    read = read.assign(suite="perplexity", p=1.0, **{value: -read[value] for value in values})
    found = {"contrasts": suites, "perplexity_contrasts": read}
    for name, frame in found.items():
        label = frame["mask_set"].str.partition("-")[0]
        found[name] = frame.assign(label=label, method=label)
    return found
