"""The paired bootstrap and the tests at the paper's size: 10 conditions x 16,288 questions, B = 10,000.

Usage: python bench/bootstrap.py        (on 2 cores; `make bench-bootstrap`)

The answers are drawn at random, with the published accuracy and one changed answer in ten: what is timed does not
depend on them. Subjects and passages are as in the benchmarks: MMLU 57 subjects, C-Eval 52, Belebele 488 passages.
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

import numpy as np
import pandas as pd
from crane.scores.summary import summarise

RESAMPLES = 10_000
# benchmark: language, questions, subjects, passages (0: every question for itself), accuracy
BENCHMARKS = {
    "mmlu": ("en", 14_042, 57, 0, 0.4579),
    "ceval": ("zh", 1_346, 52, 0, 0.3470),
    "belebele_vi": ("vi", 900, 1, 488, 0.3722),
}
METHODS, LANGUAGES = ("lape", "crane", "random"), ("en", "vi", "zh")


def answers() -> pd.DataFrame:
    """Return the answers of the unmasked model and of nine masks."""
    rng = np.random.default_rng(0)
    frames = []
    for name, (_, questions, subjects, passages, accuracy) in BENCHMARKS.items():
        subject = np.sort(rng.integers(0, subjects, questions))
        cluster = np.sort(rng.integers(0, passages, questions)) if passages else np.arange(questions)
        original = rng.random(questions) < accuracy
        for mask_set, language in [("original", "none"), *((m, code) for m in METHODS for code in LANGUAGES)]:
            changed = (rng.random(questions) < 0.1) & (mask_set != "original")
            frames.append(
                pd.DataFrame(
                    {
                        "model": "base", "mask_set": mask_set, "mask_language": language, "benchmark": name,
                        "task": [f"{name}_{s}" for s in subject], "doc_id": np.arange(questions),
                        "doc_hash": [f"{name}/{i}" for i in range(questions)],
                        "stratum": subject.astype(str), "cluster": cluster.astype(str),
                        "value": (original ^ changed).astype(float), "probability": rng.random(questions),
                    }
                )
            )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def main() -> None:
    items = answers()
    about = {
        name: {"language": code, "kind": "nlu", "suite": "exam", "chance": 0.25, "highest": 1}
        for name, (code, *_) in BENCHMARKS.items()
    }
    start = time.monotonic()
    scores, f1, _ = summarise(items, about, resamples=RESAMPLES, reference="crane")
    seconds = time.monotonic() - start
    questions = scores.groupby("benchmark")["n"].first().sum()
    conditions = scores[["mask_set", "mask_language"]].drop_duplicates()
    print(
        f"{len(conditions)} conditions x {questions:,} questions, B = {RESAMPLES:,}: {len(scores)} scores, {len(f1)} "
        f"LangSpec-F1, {int(f1['difference'].notna().sum())} differences, all with intervals: {seconds:.1f} s on "
        f"{len(os.sched_getaffinity(0))} cores"
    )


if __name__ == "__main__":
    main()
