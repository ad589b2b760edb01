"""From answers to scores: accuracy or judge score per mask and benchmark, drops, LangSpec-F1, with intervals."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from crane.artefacts import ArtefactError
from crane.names import NO_MASK, OPEN_SUITE, ORIGINAL
from crane.scores.bootstrap import bootstrap_means, interval
from crane.scores.effects import Effect, contrast_rows, langspec_rows
from crane.scores.randomisation import Losses
from crane.scores.selectivity import MASK, selectivity
from crane.scores.significance import mcnemar
from crane.scores.units import check_parallel, per_unit, resampling_units

CONDITION = ["mask_set", "mask_language"]
SMALLEST_KNOWN = 0.5
"""Minimum share of answers with an identified language; below it, languages are not reported."""


def condition_matrix(items: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return conditions x items for one model and benchmark, items paired by (task, doc_id).

    Args:
        items: columns mask_set, mask_language, task, doc_id, doc_hash and `column`.
        column: the values.

    Raises:
        ArtefactError: a question is missing under some mask, or differs between masks.
    """
    if (items.groupby(["task", "doc_id"])["doc_hash"].nunique() != 1).any():
        raise ArtefactError(
            "a question differs between masks (doc_hash); delete the benchmark results and run again"
        )
    answers = items.groupby(["task", "doc_id", *CONDITION]).size().unstack(CONDITION, fill_value=0)
    wrong = answers[(answers != 1).any(axis=1)]
    if len(wrong):
        task, question = wrong.index[0]
        mask = wrong.columns[wrong.iloc[0] != 1][0]
        raise ArtefactError(
            f"question {question} of {task!r} has {wrong.iloc[0][mask]} answers under mask {'/'.join(mask)} "
            f"instead of one ({len(wrong)} such questions); delete the benchmark results and run again"
        )
    return items.pivot(index=CONDITION, columns=["task", "doc_id"], values=column)


class Summary(NamedTuple):
    """What the scores stage makes of all answers."""

    scores: pd.DataFrame
    """One row per model, mask set, mask language and benchmark."""
    langspec_f1: pd.DataFrame
    """One row per model, mask set, mask language and suite."""
    contrasts: pd.DataFrame
    """One row per model, mask set, mask language, suite and other language."""


def _seed(seed: int, drawn: str) -> tuple[int, ...]:
    """Return the entropy of the resamples of one benchmark, or of one parallel suite, whatever else the study has."""
    return (seed, *hashlib.sha256(drawn.encode()).digest()[:8])


def _units(
    items: pd.DataFrame, benchmarks: Mapping[str, Mapping[str, Any]]
) -> dict[tuple[str, str], pd.DataFrame]:
    """Return the units of each (model, benchmark) by (task, doc_id); those of a parallel suite are the same."""
    units: dict[tuple[str, str], pd.DataFrame] = {}
    suites: dict[tuple[str, str], dict[str, pd.DataFrame]] = {}
    for (model, name), rows in items.groupby(["model", "benchmark"], sort=False):
        questions = rows.drop_duplicates(["task", "doc_id"]).set_index(["task", "doc_id"], drop=False)
        parallel = benchmarks[name].get("parallel", False)
        units[model, name] = resampling_units(questions, parallel=parallel)
        if parallel:
            suites.setdefault((model, benchmarks[name]["suite"]), {})[name] = units[model, name]
    for (model, suite), of_suite in suites.items():
        check_parallel(of_suite, f"model {model!r}, suite {suite!r}")
    return units


def summarise(
    items: pd.DataFrame,
    benchmarks: Mapping[str, Mapping[str, Any]],
    *,
    resamples: int = 10_000,
    seed: int = 0,
    reference: str | None = None,
) -> Summary:
    """Score every (model, mask set, mask language) with paired bootstrap intervals.

    Args:
        items: one row per answer: model, mask_set, mask_language, benchmark, task, doc_id, doc_hash, stratum, cluster,
            value (0 or 1, or a judge's 1-10; NaN unscored), probability (NaN for open questions); in_language (open
            questions: 1 if the answer is in the language of the question, 0 if not, NaN if unidentified).
        benchmarks: per benchmark: language, kind (`nlu` or `open`), suite, chance (score of guessing), highest
            (best possible score), and optionally parallel (question i is the same in all languages of the suite).
        resamples: bootstrap samples B, and randomisations of the tests of selectivity.
        seed: seed of both.
        reference: mask set with which the LangSpec-F1 of all others is compared, in the same resamples.

    Returns:
        `scores`, in which `worse` and `better` count the questions that a mask changed and `p` is McNemar's;
        `langspec_f1`, with the number of `questions` of the masked language's benchmark, `difference` (F1 minus the
        reference's) and the columns of `crane.scores.selectivity.selectivity`; and its `contrasts`. All values are NaN
        under a mask for which no answer has a score.

    Raises:
        ArtefactError: answers cannot be paired, or the benchmarks of a parallel suite have different questions.
    """
    units = _units(items, benchmarks)
    score_rows: list[dict[str, Any]] = []
    effects: dict[tuple[str, str, str, str], Effect] = {}
    for (model, benchmark), group in items.groupby(["model", "benchmark"], sort=False):
        settings = benchmarks[benchmark]
        values = condition_matrix(group, "value")
        if (ORIGINAL, NO_MASK) not in values.index:
            raise ArtefactError(f"model {model!r}, benchmark {benchmark!r}: no answers without a mask")
        probabilities = condition_matrix(group, "probability").mean(axis=1)
        languages = condition_matrix(group, "in_language") if "in_language" in group else values * np.nan
        drawn = settings["suite"] if settings.get("parallel") else str(benchmark)
        of_benchmark = units[str(model), str(benchmark)].loc[values.columns]
        samples, before, after = _draws(values, of_benchmark, resamples, _seed(seed, drawn))
        shared = values.notna() & values.loc[(ORIGINAL, NO_MASK)].notna()
        lost = (values.loc[(ORIGINAL, NO_MASK)] - values).where(shared, 0).to_numpy(np.float64)
        losses = Losses(per_unit(of_benchmark, lost), per_unit(of_benchmark, shared.to_numpy(np.float64)))
        for row, (mask_set, mask_language) in enumerate(values.index):
            answers = values.iloc[row]
            unmasked = values.loc[(ORIGINAL, NO_MASK)]
            scored = bool(shared.iloc[row].any())
            if not scored and mask_set == ORIGINAL:
                raise ArtefactError(
                    f"model {model!r}, benchmark {benchmark!r}: none of the {values.shape[1]} answers without a mask "
                    "has a score; check the judgements"
                )
            effect = Effect(
                before=float(unmasked[shared.iloc[row]].mean()),
                after=float(answers[shared.iloc[row]].mean()),
                before_draws=before[:, row],
                after_draws=after[:, row],
                probability_before=float(probabilities.loc[(ORIGINAL, NO_MASK)]),
                probability_after=float(probabilities.iloc[row]),
                units=Losses(losses.sums[row], losses.sizes[row]),
            )
            effects[str(model), mask_set, mask_language, str(benchmark)] = effect
            low, high = interval(samples[:, row])
            drop_low, drop_high = interval(effect.before_draws - effect.after_draws)
            drop = effect.before - effect.after
            masked = mask_set != ORIGINAL
            worse, better = int((answers < unmasked).sum()), int((answers > unmasked).sum())
            score_rows.append(
                {
                    "model": model, "mask_set": mask_set, "mask_language": mask_language, "benchmark": benchmark,
                    "kind": settings["kind"], "suite": settings["suite"], "language": settings["language"],
                    "n": values.shape[1], "dropped": int(group["dropped"].iloc[0]) if "dropped" in group else 0,
                    "missing": int(answers.isna().sum()), "score": float(answers.mean()),
                    "low": float(low), "high": float(high),
                    "drop": drop if masked else np.nan,
                    "drop_low": float(drop_low) if masked else np.nan,
                    "drop_high": float(drop_high) if masked else np.nan,
                    "relative_drop": drop / effect.before if masked and effect.before else np.nan,
                    "probability": effect.probability_after,
                    **_by_language(values, languages, row, shared.iloc[row], masked),
                    "worse": worse if masked else np.nan, "better": better if masked else np.nan,
                    "p": float(mcnemar(worse, better)) if masked and scored else np.nan,
                }
            )  # fmt: skip
    scores = pd.DataFrame(score_rows)
    langspec_f1 = langspec_rows(scores, benchmarks, effects, reference)
    compared = contrast_rows(benchmarks, effects, resamples=resamples, seed=seed)
    if len(compared):
        langspec_f1 = langspec_f1.merge(selectivity(compared), on=MASK, how="left", validate="one_to_one")
    return Summary(scores, langspec_f1, compared)


def _by_language(
    values: pd.DataFrame, languages: pd.DataFrame, row: int, shared: pd.Series, masked: bool
) -> dict[str, float]:
    """Split a condition's drop into switches to another language and losses of ability.

    A question's drop counts as *switched* if the unmasked model answered in the language of the question and the masked
    one answers in another, and as *lost* otherwise; the two sum to the drop.

    Args:
        values: conditions x items, the scores.
        languages: conditions x items, 1 in the language asked in, 0 in another, NaN unknown.
        row: the condition.
        shared: items scored with and without the mask.
        masked: false for the unmasked model, which has no drop.
    """
    answers, unmasked = values.iloc[row], values.loc[(ORIGINAL, NO_MASK)]
    inside = languages.iloc[row]
    drops = (unmasked - answers)[shared]
    base = languages.loc[(ORIGINAL, NO_MASK)]
    known = inside.notna().mean() >= SMALLEST_KNOWN
    switched = shared & (base == 1) & (inside == 0)
    told = masked and known and shared.any() and base.notna().mean() >= SMALLEST_KNOWN
    return {
        "in_language": float(inside.mean()) if known else np.nan,
        "unidentified": int(inside.isna().sum()),
        "score_in_language": float(answers[inside == 1].mean()) if known else np.nan,
        "drop_switched": float(drops[switched[shared]].sum() / shared.sum()) if told else np.nan,
        "drop_lost": float(drops[~switched[shared]].sum() / shared.sum()) if told else np.nan,
    }


def _draws(
    values: pd.DataFrame, units: pd.DataFrame, resamples: int, seed: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return bootstrap means `[B, C]` of each condition, and of the unmasked and the masked model on shared items."""
    table = values.to_numpy(np.float64)
    base = list(values.index).index((ORIGINAL, NO_MASK))
    stacked = table
    if np.isnan(table).any():
        shared = ~np.isnan(table) & ~np.isnan(table[base])
        before, after = np.where(shared, table[base], np.nan), np.where(shared, table, np.nan)
        stacked = np.concatenate([table, before, after])
    samples = bootstrap_means(
        stacked,
        units["stratum"].to_list(),
        units["cluster"].to_list(),
        resamples=resamples,
        seed=seed,
    )
    if stacked is table:
        return samples, np.broadcast_to(samples[:, [base]], samples.shape), samples
    all_items, before, after = np.split(samples, 3, axis=1)
    return all_items, before, after


CHOICE_COLUMNS = [
    "model", "mask_set", "mask_language", "benchmark", "task", "doc_id", "doc_hash", "stratum", "cluster", "correct",
    "probability", "dropped",
]  # fmt: skip
"""Columns of a benchmark file that scores need."""


def choice_items(answers: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the tables of benchmark files, with `CHOICE_COLUMNS`, as items: an answer's value is 1 if it is right."""
    return pd.concat(answers, ignore_index=True).rename(columns={"correct": "value"})


def open_items(judgements: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return judged answers as items of the benchmark open_<language>, each question a cluster of its own."""
    return pd.DataFrame(
        [
            {
                "model": j["model"],
                "mask_set": j["mask_set"],
                "mask_language": j["mask_language"],
                "benchmark": f"{OPEN_SUITE}_{j['language']}",
                "task": f"{OPEN_SUITE}_{j['language']}",
                "doc_id": j["question_id"],
                "doc_hash": hashlib.sha256(j["question"].encode()).hexdigest(),
                "stratum": "",
                "cluster": str(j["question_id"]),
                "value": np.nan if j["score"] is None else float(j["score"]),
                "probability": np.nan,
                "dropped": 0,
                "in_language": np.nan
                if j["answer_language"] is None
                else float(j["answer_language"] == j["language"]),
            }
            for j in judgements
        ]
    )
