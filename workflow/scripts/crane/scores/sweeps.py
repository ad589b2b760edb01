"""From the answers of a sweep's mask sets to one table: scores per point, and the choice between points."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from crane.scores.summary import summarise

ALL, DISCOVERY, VALIDATION = "all", "discovery", "validation"
"""Parts of the questions."""


def discovered(items: pd.DataFrame) -> pd.Series:
    """Return bool per answer: its question belongs to the discovery half, by a hash.

    The hash is of the passage where questions have one (`cluster`), else of the question's number, so that a
    parallel benchmark's question is on the same side in every language. Questions added later move none.
    """
    alone = items["cluster"] == items["task"] + "/" + items["doc_id"].astype(str)
    units = items["doc_id"].astype(str).where(alone, items["cluster"])
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
        items: as in `crane.scores.summary.summarise`, of one model and one suite, the unmasked model included.
        benchmarks: as there.
        points: of `crane.study.sweeps`, each with the `method` of its set.
        neurons: mask set -> mask language -> number of neurons.
        halves: also score the discovery and the validation half, and choose a setting.
        resamples: bootstrap samples B.
        seed: of the bootstrap.

    Returns:
        One row per point, mask language and part of the questions: the columns of LangSpec-F1, `order` (place of the
        point), what the point says of itself, `neurons` and `chosen`: highest
        LangSpec-F1, mean over the mask languages, on the discovery half, if any is above 0; False throughout without
        halves.
    """
    parts = {ALL: items}
    if halves:
        first = discovered(items)
        parts |= {DISCOVERY: items[first], VALIDATION: items[~first]}
    frames = []
    for part, rows in parts.items():
        _, f1 = summarise(rows, benchmarks, resamples=resamples, seed=seed)
        frames.append(f1.assign(part=part))
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
    """Return the place of the point of highest mean F1 on the discovery half; none where no mask has an effect.

    The first of equal ones.
    """
    seen = table[table["part"] == DISCOVERY]
    means = seen.groupby("order")["f1"].mean()
    return int(means.idxmax()) if means.max() > 0 else None
