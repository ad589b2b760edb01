"""The effect of a mask on all benchmarks of a suite: LangSpec-F1 with its interval, differences between mask sets."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from crane.names import ORIGINAL
from crane.scores.bootstrap import interval, interval_of_smallest
from crane.scores.langspec_f1 import f1_against_each, langspec_f1
from crane.scores.randomisation import Losses
from crane.scores.selectivity import Loss, contrasts

Draws = dict[tuple[str, str, str, str], np.ndarray]
"""(model, mask set, mask language, suite) -> LangSpec-F1 `[B]` in each resample."""


class Effect(NamedTuple):
    """One mask on one benchmark, over the questions scored with and without it; NaN if there are none."""

    before: float
    """Score without the mask."""
    after: float
    before_draws: np.ndarray
    """`[B]`, the same score in each resample."""
    after_draws: np.ndarray
    probability_before: float
    """Mean probability of the right choice; NaN for open questions."""
    probability_after: float
    units: Losses
    """What the mask costs, unit by unit (`crane.scores.units`)."""

    @property
    def scored(self) -> bool:
        """Whether any question has a score with and without the mask."""
        return bool(np.isfinite(self.after))

    @property
    def loss(self) -> Loss:
        """What the mask costs."""
        return Loss(self.before - self.after, self.before_draws - self.after_draws, self.units)


def contrast_rows(
    benchmarks: Mapping[str, Mapping[str, Any]],
    effects: Mapping[tuple[str, str, str, str], Effect],
    *,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Return `crane.scores.selectivity.contrasts` of every model and suite, with the columns model and suite."""
    losses: dict[tuple[str, str], dict[tuple[str, str, str], Loss]] = {}
    for (model, mask_set, target, name), effect in effects.items():
        if mask_set != ORIGINAL:
            of_suite = losses.setdefault((model, benchmarks[name]["suite"]), {})
            of_suite[mask_set, target, benchmarks[name]["language"]] = effect.loss
    paired = {settings["suite"]: settings.get("parallel", False) for settings in benchmarks.values()}
    frames = [
        contrasts(of_suite, paired=paired[suite], resamples=resamples, seed=seed, name=suite).assign(
            model=model, suite=suite
        )
        for (model, suite), of_suite in losses.items()
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def langspec_rows(
    scores: pd.DataFrame,
    benchmarks: Mapping[str, Mapping[str, Any]],
    effects: Mapping[tuple[str, str, str, str], Effect],
    reference: str | None,
) -> pd.DataFrame:
    """Return the frame `langspec_f1` of `crane.scores.summary.summarise`.

    Args:
        scores: the frame `scores` of the same function.
        benchmarks: as in `summarise`.
        effects: (model, mask set, mask language, benchmark) -> effect.
        reference: mask set with which the others are compared.
    """
    rows = []
    draws: Draws = {}
    masked = scores[scores["mask_set"] != ORIGINAL]
    for (model, mask_set, target, suite), group in masked.groupby(
        ["model", "mask_set", "mask_language", "suite"], sort=False
    ):
        names = dict(zip(group["language"], group["benchmark"], strict=True))
        by_language = {code: effects[model, mask_set, target, name] for code, name in names.items()}
        target_row = group[group["language"] == target].iloc[0]
        others = group[group["language"] != target]
        hurt = others.loc[others["drop"].fillna(-np.inf).idxmax()]
        settings = {code: benchmarks[name] for code, name in names.items()}
        measured, draws[model, mask_set, target, suite] = _measured(by_language, target, settings)
        rows.append(
            {
                "model": model, "mask_set": mask_set, "mask_language": target, "suite": suite,
                "kind": target_row["kind"], "questions": target_row["n"], "dropped": target_row["dropped"], **measured,
                "target_drop": target_row["drop"], "target_drop_low": target_row["drop_low"],
                "target_drop_high": target_row["drop_high"],
                "other_drop": hurt["drop"], "other_language": hurt["language"],
                "distinguishable": bool(target_row["drop_low"] > 0 or target_row["drop_high"] < 0),
            }
        )  # fmt: skip
    return _compared(pd.DataFrame(rows), draws, reference)


def _measured(
    effects: Mapping[str, Effect], target: str, settings: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, float], np.ndarray]:
    """Return LangSpec-F1 and its variants, the interval of the other languages' largest drop, and F1 in each resample.

    All NaN if some benchmark has no scored question, because the drop of that language is then unknown.
    """
    before_draws = {code: effect.before_draws for code, effect in effects.items()}
    after_draws = {code: effect.after_draws for code, effect in effects.items()}
    # A resample with unscored answers only has no F1 and is excluded from the interval.
    every = np.stack([*before_draws.values(), *after_draws.values()])
    present: np.ndarray = np.isfinite(every).all(axis=0)
    draws = np.full(len(present), np.nan)
    if not all(effect.scored for effect in effects.values()):
        names = (
            "f1", "low", "high", "precision", "recall", "f1_mean_other", "f1_above_chance", "f1_probability",
            "other_drop_low", "other_drop_high",
        )  # fmt: skip
        return dict.fromkeys(names, np.nan), draws
    before = {code: effect.before for code, effect in effects.items()}
    after = {code: effect.after for code, effect in effects.items()}
    f1 = langspec_f1(before, after, target)
    against = f1_against_each(
        {code: values[present] for code, values in before_draws.items()},
        {code: values[present] for code, values in after_draws.items()},
        target,
    )
    draws[present] = against.min(axis=0)
    low, high = interval_of_smallest(against)
    gains = np.stack([after_draws[code] - before_draws[code] for code in effects if code != target])
    other_high, other_low = (-bound for bound in interval_of_smallest(gains))
    likely = np.nan
    if all(benchmark["kind"] == "nlu" for benchmark in settings.values()):
        likely = langspec_f1(
            {code: effect.probability_before for code, effect in effects.items()},
            {code: effect.probability_after for code, effect in effects.items()},
            target,
        ).f1
    measured = {
        "f1": f1.f1, "low": low, "high": high,
        "precision": f1.precision, "recall": f1.recall,
        "f1_mean_other": langspec_f1(before, after, target, other="mean").f1,
        "f1_above_chance": langspec_f1(_rescaled(before, settings), _rescaled(after, settings), target).f1,
        "f1_probability": likely,
        "other_drop_low": other_low, "other_drop_high": other_high,
    }  # fmt: skip
    return measured, draws


def _rescaled(scores: Mapping[str, float], settings: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return scores rescaled so that chance is 0 and the highest score is 1; below chance counts as chance."""
    return {
        code: max(
            (score - settings[code]["chance"]) / (settings[code]["highest"] - settings[code]["chance"]), 0.0
        )
        for code, score in scores.items()
    }


def _compared(rows: pd.DataFrame, draws: Draws, reference: str | None) -> pd.DataFrame:
    """Add the difference of each F1 from the reference's, in the same resamples."""
    values = rows.set_index(["model", "mask_set", "mask_language", "suite"])["f1"]
    differences: list[tuple[Any, ...]] = []
    for key in values.index:
        other = (key[0], reference, *key[2:])
        if key == other or other not in draws:
            differences.append((None, np.nan, np.nan, np.nan))
            continue
        low, high = interval(draws[key] - draws[other])
        differences.append((reference, values[key] - values[other], float(low), float(high)))
    rows[["reference", "difference", "difference_low", "difference_high"]] = differences
    return rows.astype(dict.fromkeys(("difference", "difference_low", "difference_high"), float))
