"""What a study answers, method by method and language by language: a verdict per kind of questions, from its results.

The verdicts follow from the tables by the rules of `verdict`, so that a sentence says no more than they do.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crane.names import REFERENCES
from crane.results.labels import Labels
from crane.results.selectivity import LEVEL, Contrasts, every_mask, in_order
from crane.results.stability import stability_rows
from crane.scores.mask_sets import Groups, Summaries, interventions_of, layers_of
from crane.scores.null_distribution import LIKENESS, as_high, most_similar
from crane.scores.randomisation import EQUAL

LEVELS = (0.001, 0.01, LEVEL)
"""Levels at which a sentence says that a mask is selective: the smallest one that its p is below."""
REPRODUCED = 0.5
"""Jaccard index of the choices from two halves of the texts from which on a choice counts as stable."""

SELECTIVE = "selective"
AS_RANDOM = "as random"
DAMAGE = "damage"
UNCOMPARED = "uncompared"
UNDECIDED = "undecided"
NO_LOSS = "no loss"
TOO_FEW = "too few"
UNMEASURED = "–"
VERDICTS = {
    SELECTIVE: "the mask hurts its own language more than every other one, and at most 5% of the most similar random "
    "masks have as large a D",
    AS_RANDOM: "the mask hurts its own language more than every other one, and more than 5% of the most similar random "
    "masks have as large a D",
    UNCOMPARED: "the mask hurts its own language more than every other one, and no random masks of as many neurons "
    "were measured",
    DAMAGE: "the mask hurts its own language and another one, and is not shown to hurt its own more",
    UNDECIDED: "the mask hurts its own language and certainly no other one, and is not shown to hurt its own more",
    NO_LOSS: "no loss of the mask's own language is shown",
    TOO_FEW: "the loss of every answer would not pass the test, unless other masks pass it",
    UNMEASURED: "not measured",
}
"""Verdict -> what it means."""
FAIR = LIKENESS[2:]
"""The likeness of random sets that a mask can be compared with: as many neurons, in all or in each layer."""


def verdict(mask: Mapping[str, Any]) -> str:
    """Return one of `VERDICTS`.

    Args:
        mask: d, d_low, d_p_holm, smallest_p, hypotheses, lost_low, others_lost_low, as in
            `crane.results.selectivity.every_mask`; random_seeds and random_reaching (seeds of the most similar random
            set, 0 without a `FAIR` one, and those of them with as large a D).
    """
    if pd.isna(mask["d"]):
        return UNMEASURED
    if mask["d_p_holm"] < LEVEL and mask["d_low"] > 0:
        if not mask["random_seeds"]:
            return UNCOMPARED
        return AS_RANDOM if mask["random_reaching"] > LEVEL * mask["random_seeds"] else SELECTIVE
    if mask["smallest_p"] * mask["hypotheses"] >= LEVEL:
        return TOO_FEW
    if not mask["lost_low"] > 0:
        return NO_LOSS
    return DAMAGE if mask["others_lost_low"] > 0 else UNDECIDED


def answer_rows(
    contrasts: Contrasts,
    summaries: Summaries,
    groups: Groups,
    labels: Labels,
    stability: pd.DataFrame | None = None,
    sampled_null: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return one row per model, mask set, mask language and kind of questions, in the study's order.

    The mask sets are those that are hypotheses: random masks and the mask of all neurons (`REFERENCES`) are not.

    Args:
        contrasts: of the suites and of perplexity.
        summaries: of the mask sets.
        groups: of the mask sets.
        labels: of the study.
        stability: of `crane.selection.stability`, if it was measured.
        sampled_null: of `crane.scores.sampled_null`, if there are random sets on a part of the questions; where a mask
            has a `FAIR` one there that is more similar than the random sets on all questions, or as similar and of more
            seeds, it stands in their place.

    Returns:
        The columns of `crane.results.selectivity.every_mask`; neurons; random (label of the most similar random set,
        None without a `FAIR` one), random_likeness, random_seeds, random_reaching, random_p, random_questions (of the
        part on which both were measured; NaN if on all questions); split_half and by_chance
        (Jaccard of the choices from halves of the texts, and of random ones); verdict.

    Raises:
        ResultsError: no results.
    """
    every = every_mask(contrasts, labels)
    layers, interventions = layers_of(summaries), interventions_of(groups)
    random = every[every["method"] == "random"]
    rows = every[~every["method"].isin(REFERENCES)].copy()
    on_part = {} if sampled_null is None else _on_part(sampled_null)
    beside = []
    for row in rows.to_dict("records"):
        found = (*_beside_random(row, random, layers, interventions), np.nan)
        part = on_part.get((row["model"], row["suite"], row["mask_set"], row["mask_language"]), found)
        beside.append(max(found, part, key=_evidence))
    columns = [
        "random", "random_likeness", "random_seeds", "random_reaching", "random_p", "random_questions",
    ]  # fmt: skip
    rows[columns] = pd.DataFrame(beside, index=rows.index, columns=columns)
    rows["neurons"] = [
        summaries[name][code]["total"]
        for name, code in zip(rows["mask_set"], rows["mask_language"], strict=True)
    ]
    rows[["split_half", "by_chance"]] = np.nan
    if stability is not None:
        measured = stability_rows(stability, labels.only(set(rows["label"])))
        halves = measured.set_index(["label", "mask_language"])[["split_half", "by_chance"]]
        where = pd.MultiIndex.from_frame(rows[["label", "mask_language"]])
        rows[["split_half", "by_chance"]] = halves.reindex(where).to_numpy()
    rows["verdict"] = [verdict(row) for row in rows.to_dict("records")]
    return in_order(rows, labels, ["model", "label", "mask_language", "suite"])


def _beside_random(
    mask: Mapping[str, Any],
    random: pd.DataFrame,
    layers: Mapping[str, Mapping[str, Sequence[int]]],
    interventions: Mapping[str, Mapping[str, Any]],
) -> tuple[str | None, str | None, int, int, float]:
    """Return the most similar random set, its likeness, its seeds, how many of them have as large a D, and p."""
    here = random[
        (random["model"] == mask["model"])
        & (random["suite"] == mask["suite"])
        & (random["mask_language"] == mask["mask_language"])
    ].dropna(subset="d")
    if here.empty:
        return None, None, 0, 0, np.nan
    seeds = here.drop_duplicates("label").set_index("label")["mask_set"].to_dict()
    null, likeness = most_similar(mask["mask_set"], mask["mask_language"], seeds, layers, interventions)
    if likeness not in FAIR:
        return None, None, 0, 0, np.nan
    draws = here.loc[here["label"] == null, "d"]
    reaching = int((draws >= mask["d"] - EQUAL).sum())
    return null, likeness, len(draws), reaching, as_high(reaching, len(draws))


def _evidence(beside: tuple[Any, ...]) -> tuple[int, int]:
    """Return how much a comparison with random sets says: a more similar null first, then more seeds."""
    likeness, seeds = beside[1:3]
    return (LIKENESS.index(likeness) if likeness else -1, seeds)


def _on_part(sampled_null: pd.DataFrame) -> dict[tuple[str, str, str, str], tuple[Any, ...]]:
    """Return (model, suite, mask set, mask language) -> as `_beside_random`, and the questions of the part."""
    rows = sampled_null[(sampled_null["statistic"] == "d") & sampled_null["null_likeness"].isin(FAIR)]
    return {
        (row["model"], row["suite"], row["mask_set"], row["mask_language"]): (
            row["null"], row["null_likeness"], int(row["null_seeds"]),
            round(row["null_p"] * (1 + row["null_seeds"])) - 1, row["null_p"], row["questions"],
        )
        for row in rows.to_dict("records")
    }  # fmt: skip
