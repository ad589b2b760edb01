"""From the answers of a sweep's mask sets to one table: scores per point, and the choice between points."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from crane.scores.summary import summarise
from crane.scores.units import in_no_passage

ALL, DISCOVERY, VALIDATION = "all", "discovery", "validation"
"""Parts of the questions."""


def discovered(items: pd.DataFrame) -> pd.Series:
    """Return bool per answer: whether its question belongs to the discovery half, by a hash.

    It is the hash of the passage if questions have one (`cluster`), else of the question's number, so that a question
    of a parallel benchmark is on the same side in every language. Adding questions moves no other.
    """
    units = items["doc_id"].astype(str).where(in_no_passage(items), items["cluster"])
    sides = {unit: hashlib.sha256(str(unit).encode()).digest()[0] % 2 == 0 for unit in units.unique()}
    return units.map(sides)


def score_sweep(
    items: pd.DataFrame,
    benchmarks: Mapping[str, Mapping[str, Any]],
    points: Sequence[Mapping[str, Any]],
    neurons: Mapping[str, Mapping[str, int]],
    *,
    halves: bool,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Score every point of a sweep.

    Args:
        items: as in `crane.scores.summary.summarise`, for one model and one suite, including the unmasked model.
        benchmarks: as in `crane.scores.summary.summarise`.
        points: from `crane.study.sweeps`, each with the `method` of its set.
        neurons: mask set -> mask language -> number of neurons.
        halves: also score the discovery and the validation half, and choose a setting.
        resamples: bootstrap samples B.
        seed: seed of the bootstrap.

    Returns:
        One row per point, mask language and part of the questions: the columns of LangSpec-F1, `order` (position of the
        point), the fields of the point, `neurons` and `chosen`: the highest LangSpec-F1 on the discovery half, averaged
        over the mask languages, if any is above 0; False throughout without halves.
    """
    parts = {ALL: items}
    if halves:
        first = discovered(items)
        parts |= {DISCOVERY: items[first], VALIDATION: items[~first]}
    frames = []
    for part, rows in parts.items():
        scored = summarise(rows, benchmarks, resamples=resamples, seed=seed)
        frames.append(scored.langspec_f1.assign(part=part))
    described = pd.DataFrame([{**point, "order": place} for place, point in enumerate(points)])
    table = described.merge(pd.concat(frames), on="mask_set", validate="many_to_many")
    table["neurons"] = [
        neurons[mask_set][language]
        for mask_set, language in zip(table["mask_set"], table["mask_language"], strict=True)
    ]
    best = _best(table) if halves else None
    table["chosen"] = False if best is None else table["order"] == best
    return table.rename(columns={"group": "label"})


def _best(table: pd.DataFrame) -> int | None:
    """Return the position of the point with the highest mean F1 on the discovery half; the first one wins ties.

    None if no mask has an effect.
    """
    seen = table[table["part"] == DISCOVERY]
    means = seen.groupby("order")["f1"].mean()
    return int(means.idxmax()) if means.max() > 0 else None
