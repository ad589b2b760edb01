"""How often studies without any effect of language find one: each study compares random masks with random masks.

Usage: python bench/false_positives.py [studies]        (`make bench-false-positives`; 200 studies per setting)

A study has three languages, one method and twenty seeds of a random mask set. No mask, the method's included, knows
of the languages: it changes each answer with a probability that does not depend on them. Where nothing is lost, as
many answers get right as wrong; elsewhere each mask costs all languages as much, but each another amount. What a
study finds is what the scores stage and the report's first page make of such answers.
"""

import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

import numpy as np
import pandas as pd
from crane.results.answers import SELECTIVE, answer_rows
from crane.results.labels import Labels
from crane.scores.mask_sets import with_groups, with_null, with_tests
from crane.scores.summary import summarise

LEVEL = 0.05
LANGUAGES = {"en": "English", "zh": "Chinese", "vi": "Vietnamese"}
SEEDS, RESAMPLES = 20, 1_000
CHURN, LOST = 0.05, 0.2
SETS = ["method", *(f"random-{seed}" for seed in range(SEEDS))]
GROUPS = {
    name: {"group": name.partition("-")[0], "method": "crane" if name == "method" else "random", "intervention": {}}
    for name in SETS
} | {"original": {"group": "original", "method": "original", "intervention": {}}}  # fmt: skip
SUMMARIES = {name: {code: {"total": 10, "layers": [4, 6]} for code in LANGUAGES} for name in SETS}
SETTINGS = {
    "nothing lost, 200 questions": ({"en": 200, "zh": 200, "vi": 200}, False, False),
    "all lose, 200 questions": ({"en": 200, "zh": 200, "vi": 200}, True, False),
    "all lose, parallel": ({"en": 200, "zh": 200, "vi": 200}, True, True),
    "nothing lost, 900 / 100 / 100": ({"en": 900, "zh": 100, "vi": 100}, False, False),
}
"""Setting -> questions of each language, whether masks cost anything, whether the questions are parallel."""


def answers(rng: np.random.Generator, questions: dict[str, int], *, lost: bool) -> pd.DataFrame:
    """Return the answers of the unmasked model, which is right in seven of ten cases, and of all masks."""
    before = {code: rng.random(count) < 0.7 for code, count in questions.items()}
    frames = []
    for mask_set, target in [("original", "none"), *product(SETS, LANGUAGES)]:
        damage = rng.uniform(0, LOST) if lost else 0.0
        for code, right in before.items():
            share = right.mean()
            # Of n answers, CHURN n get right and (CHURN + damage) n get wrong.
            change = np.where(right, (CHURN + damage) / share, CHURN / (1 - share))
            changed = (rng.random(len(right)) < change) & (mask_set != "original")
            numbers = np.arange(len(right))
            frames.append(
                pd.DataFrame(
                    {
                        "model": "base", "mask_set": mask_set, "mask_language": target, "benchmark": f"quiz_{code}",
                        "task": f"quiz_{code}", "doc_id": numbers, "doc_hash": numbers.astype(str), "stratum": code,
                        "cluster": [f"quiz_{code}/{n}" for n in numbers],
                        "value": (right ^ changed).astype(float), "probability": 0.5,
                    }
                )
            )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def study(seed: int, questions: dict[str, int], *, lost: bool, parallel: bool) -> dict[str, Any]:
    """Return what one study finds: the p of its three masks, and whether a sentence calls one of them selective."""
    benchmarks = {
        f"quiz_{code}": {"language": code, "kind": "nlu", "suite": "quiz", "chance": 0.25, "highest": 1,
                         "parallel": parallel}
        for code in LANGUAGES
    }  # fmt: skip
    items = answers(np.random.default_rng(seed), questions, lost=lost)
    scores, effects, contrasts = summarise(items, benchmarks, resamples=RESAMPLES, seed=seed)
    scores, effects = with_tests(scores, GROUPS), with_null(effects, GROUPS, SUMMARIES)
    named = {
        name: {key: facts[key] for key in ("language", "suite", "kind")} for name, facts in benchmarks.items()
    }
    labels = Labels(
        LANGUAGES, {"method": "Method", "random": "Random"},
        {name: {"label": name, **facts} for name, facts in named.items()}, {"base": "Base"},
    )  # fmt: skip
    rows = answer_rows({"contrasts": with_groups(contrasts, GROUPS)}, SUMMARIES, GROUPS, labels)
    own = scores[(scores["label"] == "method") & (scores["mask_language"] == scores["language"])]
    of_method = effects[effects["label"] == "method"]
    return {
        "D": of_method["d_p"].to_numpy(),
        "McNemar": own["p"].to_numpy(),
        "null p": of_method["null_p"].to_numpy(),
        "D, Holm": of_method["d_p_holm"].min(),
        "null p, Holm": of_method["null_p_holm"].min(),
        "sentence": 0.0 if (rows["verdict"] == SELECTIVE).any() else 1.0,
    }


def main() -> None:
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    start = time.monotonic()
    shares = {}
    for name, (questions, lost, parallel) in SETTINGS.items():
        found = pd.DataFrame(
            [study(seed, questions, lost=lost, parallel=parallel) for seed in range(studies)]
        )
        shares[name] = {kind: (np.stack(found[kind].tolist()) < LEVEL).mean() for kind in found}
        if lost:
            del shares[name]["McNemar"]  # the masks do cost something, which is what it tests
    print(pd.DataFrame(shares).T.to_string(float_format="{:.3f}".format, na_rep="–"))
    print(
        f"Share of masks (D, McNemar, null p) and of studies (Holm: any of three masks; sentence: any is selective) "
        f"below {LEVEL}; {studies} studies each, {SEEDS} random seeds, B = {RESAMPLES:,}: "
        f"{time.monotonic() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
