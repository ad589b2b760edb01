"""How often the 95% intervals contain the true value: simulated studies with the published scores and sizes.

Usage: python bench/coverage.py [studies]        (`make bench-coverage`; 2,000 studies per mask, B = 1,000)

A study draws the answers of the unmasked and of the masked model question by question, and resamples them: counts of
(answer before, answer after) follow a multinomial distribution, which is the bootstrap of independent questions. The
true scores are those that the paper prints for CRANE; one answer in twenty gets right and one in twenty wrong beyond
the drop; judge's scores are beta-binomial. A setting's coverage is the lowest of its three masks'.
"""

import sys
import time
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

import numpy as np
import pandas as pd
from crane.scores.bootstrap import interval, interval_of_smallest
from crane.scores.langspec_f1 import f1_against_each, langspec_f1
from scipy.stats import betabinom, norm

PUBLISHED = Path(__file__).parents[1] / "resources" / "published" / "scores.csv"
QUESTIONS = {"exam": {"en": 14_042, "zh": 1_346, "vi": 900}, "open": dict.fromkeys(("en", "zh", "vi"), 70)}
CHURN = 0.05
SPREAD, KEPT = 2.0, 0.3
"""Precision of the judge's scores, and share of answers whose rank the mask does not change."""
RESAMPLES = 1_000
Scores = dict[str, float]


def answers(kind: str, before: float, after: float) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of scores `[K, 2]`, without and with the mask, and the probability of each `[K]`."""
    if kind == "exam":
        worse, better = max(before - after, 0) + CHURN, max(after - before, 0) + CHURN
        pairs = np.array([(1, 0), (0, 1), (1, 1), (0, 0)], float)
        return pairs, np.array([worse, better, before - worse, 1 - before - better])
    first, second = (
        betabinom.pmf(np.arange(10), 9, SPREAD * (mean - 1) / 9, SPREAD * (10 - mean) / 9)
        for mean in (before, after)
    )
    edges = np.unique(np.concatenate([[0], first.cumsum(), second.cumsum()]))
    middles = (edges[1:] + edges[:-1]) / 2
    rows, columns = (np.minimum(np.searchsorted(each.cumsum(), middles), 9) for each in (first, second))
    joint = (1 - KEPT) * np.outer(first, second)
    np.add.at(joint, (rows, columns), KEPT * np.diff(edges))
    pairs = np.array([(row + 1, column + 1) for row in range(10) for column in range(10)], float)
    return pairs, joint.ravel() / joint.sum()


def bca(
    draws: np.ndarray, counts: Mapping[str, np.ndarray], pairs: np.ndarray, target: str
) -> tuple[float, float]:
    """Return the BCa interval of LangSpec-F1 (Efron 1987), with the jackknife over the questions of each language.

    That of `scipy.stats.bootstrap` resamples the questions themselves: 15 million answers per study.
    """

    def f1(of: Mapping[str, np.ndarray]) -> float:
        means = {code: each @ pairs / each.sum() for code, each in of.items()}
        return langspec_f1(
            {c: m[0] for c, m in means.items()}, {c: m[1] for c, m in means.items()}, target
        ).f1

    observed = f1(counts)
    cubes = squares = 0.0
    for code, each in counts.items():
        filled = np.flatnonzero(each)
        without = np.array([f1({**counts, code: each - (np.arange(len(each)) == cell)}) for cell in filled])
        weights, size = each[filled], each.sum()
        influence = (size - 1) * (np.average(without, weights=weights) - without)
        cubes += (weights * influence**3).sum() / size**3
        squares += (weights * influence**2).sum() / size**2
    acceleration = cubes / (6 * squares**1.5) if squares > 0 else 0.0
    below = ((draws < observed).mean() + (draws <= observed).mean()) / 2
    bias = norm.ppf(np.clip(below, 1 / len(draws), 1 - 1 / len(draws)))
    shifted = bias + norm.ppf([0.025, 0.975])
    low, high = np.quantile(draws, norm.cdf(bias + shifted / (1 - acceleration * shifted)))
    return low, high


def coverage(
    kind: str, before: Scores, after: Scores, target: str, studies: int, seed: int
) -> dict[str, float]:
    """Return how often each kind of interval contains the true LangSpec-F1, or the true D."""
    rng = np.random.default_rng(seed)
    populations = {code: answers(kind, before[code], after[code]) for code in before}
    truth = langspec_f1(before, after, target).f1
    drops = {code: before[code] - after[code] for code in before}
    true_d = drops[target] - max(drop for code, drop in drops.items() if code != target)
    hits = dict.fromkeys(("F1, percentile", "F1, BCa", "F1, here", "D, percentile", "D, here"), 0)
    for _ in range(studies):
        counts, means, draws = {}, {}, {}
        for code, (pairs, shares) in populations.items():
            counts[code] = rng.multinomial(QUESTIONS[kind][code], shares)
            resampled = rng.multinomial(counts[code].sum(), counts[code] / counts[code].sum(), size=RESAMPLES)
            means[code] = counts[code] @ pairs / counts[code].sum()
            draws[code] = (resampled @ pairs / counts[code].sum()).T
        against = f1_against_each(
            {c: d[0] for c, d in draws.items()}, {c: d[1] for c, d in draws.items()}, target
        )
        lost = {code: each[0] - each[1] for code, each in draws.items()}
        differences = np.stack([lost[target] - lost[code] for code in lost if code != target])
        found = {
            "F1, percentile": (truth, interval(against.min(axis=0))),
            "F1, BCa": (truth, bca(against.min(axis=0), counts, pairs, target)),
            "F1, here": (truth, interval_of_smallest(against)),
            "D, percentile": (true_d, interval(differences.min(axis=0))),
            "D, here": (true_d, interval_of_smallest(differences)),
        }
        for name, (true, (low, high)) in found.items():
            hits[name] += bool(low - 1e-6 <= true <= high + 1e-6)
    return {name: count / studies for name, count in hits.items()}


def settings() -> dict[str, tuple[str, Scores, dict[str, Scores]]]:
    """Return setting -> kind, scores without a mask, and mask language -> scores with it."""
    published = pd.read_csv(PUBLISHED)
    found: dict[str, tuple[str, Scores, dict[str, Scores]]] = {}
    for table, rows in published.groupby("table"):
        kind = "open" if rows["benchmark"].str.startswith("open").all() else "exam"
        scores = {
            (method, mask): group.set_index("benchmark_language")["score"].to_dict()
            for (method, mask), group in rows.groupby(["method", "mask_language"])
        }
        masks = {code: scores["crane", code] for code in ("en", "zh", "vi")}
        found[str(table)] = (kind, scores["original", "none"], masks)
    kind, before, _ = found["table1"]
    for name, lost in (("all lose .15", 0.15), ("no effect", 0.0)):
        after = {code: score - lost for code, score in before.items()}
        found[name] = (kind, before, dict.fromkeys(("en", "zh", "vi"), after))
    return found


def main() -> None:
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    start = time.monotonic()
    rows = {
        name: pd.DataFrame(
            [
                coverage(kind, before, after, code, studies, seed)
                for seed, (code, after) in enumerate(masks.items())
            ]
        ).min()
        for name, (kind, before, masks) in settings().items()
    }
    print(pd.DataFrame(rows).T.to_string(float_format="{:.3f}".format))
    print(
        f"Lowest coverage of three masks, nominal .950; {studies:,} studies each, B = {RESAMPLES:,}: "
        f"{time.monotonic() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
