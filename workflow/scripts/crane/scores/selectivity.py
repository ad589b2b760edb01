"""Does a mask hurt its own language more than every other one? (method, section 12)

LangSpec-F1 rewards damage: a mask that destroys the model scores 2/3. D = d_target - max over the others of d_other,
with d the score without the mask minus the score with it, is about 0 then.
"""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
import pandas as pd

from crane.scores.bootstrap import interval, joint_high
from crane.scores.randomisation import Losses, more_lost, smallest_p

COLUMNS = ["d", "d_low", "d_high", "d_language", "d_p"]
MASK = ["model", "suite", "mask_set", "mask_language"]


class Loss(NamedTuple):
    """What one mask costs one language."""

    drop: float
    """Score without the mask minus score with it; NaN without a scored question."""
    draws: np.ndarray
    """`[B]`, the same in each bootstrap resample."""
    units: Losses
    """`[U]`, the same unit by unit."""


def contrasts(
    losses: Mapping[tuple[str, str, str], Loss], *, paired: bool, resamples: int, seed: int, name: str
) -> pd.DataFrame:
    """Compare what every mask costs its own language with what it costs each of the others.

    Args:
        losses: (mask set, mask language, language) -> loss, of one model and one suite.
        paired: whether unit u is the same in all languages, and resampled together.
        resamples: number of randomisations.
        seed: seed of the randomisations.
        name: of the suite, from which together with `seed` the randomisations follow.

    Returns:
        One row per mask and other language: mask_set, mask_language, compared_with, difference (loss of the masked
        language minus loss of the other), difference_low, difference_high (percentile bootstrap),
        difference_joint_high and difference_pair_high (upper bounds for the intervals of D and of the smaller of two
        differences, see `crane.scores.bootstrap.joint_high`), p (one-sided, of a difference above 0), smallest_p
        (`crane.scores.randomisation.smallest_p`), and the losses themselves with their intervals: lost, lost_low,
        lost_high of the masked language; other_lost, other_lost_low, other_lost_high of the other.
    """
    languages = list(dict.fromkeys(language for *_, language in losses))
    masks = list(dict.fromkeys((mask_set, code) for mask_set, code, _ in losses))
    p: dict[tuple[str, str, str], float] = {}
    for first, second in combinations(sorted(languages), 2):
        tested = [mask for mask in masks if mask[1] in (first, second)]
        if not tested:
            continue
        of_first, of_second = (
            Losses(*map(np.stack, zip(*(losses[*mask, code].units for mask in tested), strict=True)))
            for code in (first, second)
        )
        signs = np.array([1 if code == first else -1 for _, code in tested])
        entropy = (seed, *hashlib.sha256(f"{name} {first} {second}".encode()).digest()[:8])
        found = more_lost(of_first, of_second, signs, paired=paired, resamples=resamples, seed=entropy)
        for (mask_set, code), value in zip(tested, found, strict=True):
            p[mask_set, code, second if code == first else first] = float(value)
    rows = []
    for (mask_set, code), other in product(masks, languages):
        if (mask_set, code, other) not in p:
            continue
        own, theirs = losses[mask_set, code, code], losses[mask_set, code, other]
        difference = own.drop - theirs.drop
        row = {
            "mask_set": mask_set, "mask_language": code, "compared_with": other, "difference": difference,
            "lost": own.drop, "other_lost": theirs.drop, "p": p[mask_set, code, other],
        }  # fmt: skip
        known = bool(np.isfinite(difference))
        for name, draws in (
            ("difference", own.draws - theirs.draws),
            ("lost", own.draws),
            ("other_lost", theirs.draws),
        ):
            row[f"{name}_low"], row[f"{name}_high"] = (
                map(_rounded, interval(draws)) if known else (np.nan, np.nan)
            )
        for name, quantities in (("joint", len(languages) - 1), ("pair", 2)):
            high = joint_high(own.draws - theirs.draws, quantities) if known else np.nan
            row[f"difference_{name}_high"] = _rounded(high)
        scored = [int((loss.units.sizes > 0).sum()) for loss in (own, theirs)]
        row["smallest_p"] = smallest_p(*scored, paired=paired, resamples=resamples) if known else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def _rounded(bound: float | np.ndarray) -> float:
    """Return a bound to six digits: the means of the resamples are sums in float32, where what cancels is not 0."""
    return round(float(bound), 6) + 0.0


def selectivity(compared: pd.DataFrame) -> pd.DataFrame:
    """Return D of every mask.

    Args:
        compared: of `contrasts`, with model and suite.

    Returns:
        `MASK` and `COLUMNS`: d, its interval, the other language that loses most (`d_language`), and the p of the
        intersection-union test (Berger 1982): D is above 0 only if every difference is, so the largest of their p
        tests it, without correction for their number. Its interval is that of the smallest of the differences
        (`crane.scores.bootstrap.joint_high`). All undefined if a language has no score.
    """
    groups = compared.groupby(MASK, sort=False)
    largest = {"d": "difference", "d_low": "difference_low", "d_high": "difference_joint_high"}
    found = pd.DataFrame(
        {
            name: groups[column].agg(lambda values: values.min(skipna=False))
            for name, column in largest.items()
        }
    )
    found["d_language"] = [_hurt_most(rows) for _, rows in groups]
    found["d_p"] = groups["p"].agg(lambda values: values.max(skipna=False))
    return found.reset_index()


def _hurt_most(of_mask: pd.DataFrame) -> str | None:
    smallest = of_mask["difference"].to_numpy()
    return None if np.isnan(smallest).any() else str(of_mask["compared_with"].iloc[smallest.argmin()])


def dissociations(compared: pd.DataFrame, languages: Sequence[str]) -> pd.DataFrame:
    """Return whether two languages dissociate doubly: mask a hurts a more than b, and mask b hurts b more than a.

    Args:
        compared: of `contrasts`, with model and suite.
        languages: in which order the two languages of a pair stand.

    Returns:
        One row per model, suite, mask set and pair of languages: first, second; `first_difference`, by how much more
        the first language's mask hurts the first, with `_low` and `_high`, and `first_p`; `second_difference` and so
        on likewise. `difference` is the smaller one of the two, with the interval of a smallest difference, `p` is the
        larger one, as in `selectivity`.
    """
    order = {code: place for place, code in enumerate(languages)}
    ahead = compared["mask_language"].map(order) < compared["compared_with"].map(order)
    keys = ["model", "suite", "mask_set", "first", "second"]
    values = ["difference", "difference_low", "difference_high", "difference_pair_high", "p"]
    sides = []
    for name, rows, codes in (
        ("first", compared[ahead], ("mask_language", "compared_with")),
        ("second", compared[~ahead], ("compared_with", "mask_language")),
    ):
        side = rows.rename(columns=dict(zip(codes, ("first", "second"), strict=True)))
        sides.append(side[[*keys, *values]].rename(columns={value: f"{name}_{value}" for value in values}))
    pairs = sides[0].merge(sides[1], on=keys, how="inner", validate="one_to_one")
    for value in values:
        both = pairs[[f"first_{value}", f"second_{value}"]]
        pairs[value] = both.max(axis=1, skipna=False) if value == "p" else both.min(axis=1, skipna=False)
    pairs["difference_high"] = pairs["difference_pair_high"]
    return pairs.drop(columns=[column for column in pairs if column.endswith("pair_high")])
