"""Results of methods whose worth is known: one works, one does nothing, one breaks everything."""

from typing import Any

import pandas as pd
from crane.results.labels import Labels
from crane.scores.mask_sets import with_groups
from crane.scores.summary import summarise

from support.masked_answers import LANGUAGES, PARALLEL, quiz

METHODS = {"works": "Works", "idle": "Idle", "breaks": "Breaks *all*"}
LABELS = Labels(
    {"en": "English", "zh": "Chinese", "vi": "Vietnamese"},
    {**METHODS, "random": "Random", "other": "Other random"},
    {name: {"label": name, **facts} for name, facts in PARALLEL.items()},
    {"base": "Base"},
)
SEEDS = [f"{label}-{seed}" for label in ("random", "other") for seed in range(4)]


def contrasts(questions: int = 100) -> pd.DataFrame:
    """Return the contrasts of parallel benchmarks as the scores stage writes them.

    One method costs each language a third of its questions and the others none, one costs nothing, one costs all
    questions of every language. Random masks cost the same few everywhere.
    """
    lost: dict[tuple[str, str], dict[str, int]] = {}
    for code in LANGUAGES:
        lost["works", code] = {code: max(questions // 3, 1)}
        lost["idle", code] = {}
        lost["breaks", code] = dict.fromkeys(LANGUAGES, questions)
        lost |= {(name, code): dict.fromkeys(LANGUAGES, int(name[-1]) % questions) for name in SEEDS}
    found = summarise(quiz(lost, questions), PARALLEL, resamples=1000).contrasts
    return with_groups(found, groups())


def summaries() -> dict[str, dict[str, dict[str, Any]]]:
    """Return the masks' summaries; the second random set has other neurons per layer."""
    counts = {name: [5, 7] for name in (*METHODS, *SEEDS)} | {name: [6, 6] for name in SEEDS[4:]}
    return {
        name: {code: {"total": sum(layers), "layers": layers} for code in LANGUAGES}
        for name, layers in counts.items()
    }


def groups() -> dict[str, dict[str, Any]]:
    """Return the masks' groups: all of them set neurons to zero."""
    return {
        name: {
            "group": name.partition("-")[0],
            "method": "crane" if name in METHODS else "random",
            "intervention": {},
        }
        for name in (*METHODS, *SEEDS)
    }


def stability() -> pd.DataFrame:
    """Return the stability of the masks: that of the method that does nothing is poor."""
    return pd.DataFrame(
        [
            {
                "mask_set": name, "label": name.partition("-")[0], "mask_language": code, "by_chance": 0.1,
                "split_half": 0.2 if name == "idle" else 0.9 if name in METHODS else None, "reason": None,
            }
            for name in (*METHODS, *SEEDS) for code in LANGUAGES
        ]
    )  # fmt: skip
