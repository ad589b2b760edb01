"""Tables of what a point estimate leaves open: tests, differences between methods, the null distribution."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crane.names import ORIGINAL, REFERENCES
from crane.results.cells import NOTHING, TARGET_UNCLEAR, bounds, flag, integer, number, p_value, signed
from crane.results.frames import asked_questions, f1_rows, questions_by_language, score_rows
from crane.results.labels import Labels, ResultsError
from crane.scores.null_distribution import LIKENESS
from crane.tables.rendering import Table

LEVEL = 0.05


def drop_tests(scores: pd.DataFrame, labels: Labels, *, model: str, suite: str) -> Table:
    """Signed drops under every mask with interval, the changed answers and McNemar's test.

    One row per mask and benchmark. Rows of several seeds have the mean drop, the smallest and the largest seed,
    and in place of p the number of seeds below `LEVEL`.

    Raises:
        ResultsError: the results lack a row, see `crane.results.frames.score_rows`.
    """
    rows = score_rows(scores, labels, [model], suite)
    rows = rows[rows["label"] != ORIGINAL].reset_index(drop=True)
    unit = ["model", "label", "mask_language", "benchmark"]
    below = (scores["p"] < LEVEL).groupby([scores[key] for key in unit]).sum()
    rows["seeds_below"] = below.reindex(pd.MultiIndex.from_frame(rows[unit])).to_numpy()
    several = rows["seeds"] > 1
    tested = np.where(several, rows["seeds_below"].astype(int).astype(str) + " of " + rows["seeds"].astype(str),
                      rows["p"].map(p_value))  # fmt: skip
    flags = np.where(unclear := (rows["drop_low"] <= 0) & (rows["drop_high"] >= 0), "†", "")
    target = rows["language"] == rows["mask_language"]
    cells = pd.DataFrame(
        {
            ("", "Method"): list(map(labels.name, rows["label"], rows["seeds"])),
            ("", "Mask"): rows["mask_language"],
            ("", "Benchmark"): [labels.benchmarks[benchmark]["label"] for benchmark in rows["benchmark"]],
            ("", "Target"): np.where(target, "yes", ""),
            ("", "Drop"): rows["drop"].map(signed) + flags,
            ("", "95% interval"): list(map(bounds, rows["drop_low"], rows["drop_high"], rows["interval"])),
            ("", "Worse"): rows["worse"].map("{:.0f}".format).where(~several, NOTHING),
            ("", "Better"): rows["better"].map("{:.0f}".format).where(~several, NOTHING),
            ("", "p"): tested,
            ("", "p (Holm)"): rows["p_holm"].map(p_value),
        }
    )
    hypotheses = int((~several & ~rows["method"].isin(REFERENCES)).sum() / rows["benchmark"].nunique())
    exam = labels.kind_of(suite) == "nlu"
    counted = (
        "right before and wrong now, wrong before and right now" if exam else "scored lower, scored higher"
    )
    notes = [
        f"Drop: original − masked ({labels.measure_of(suite)}); positive is a loss. Target: the benchmark of the "
        f"masked language. Questions: {asked_questions(rows, labels)}.",
        "Brackets: 95% percentile bootstrap over questions, paired. †: the interval contains 0.",
        f"Worse, better: answers {counted}. p: exact two-sided {'McNemar test' if exam else 'sign test'} on them, "
        "which takes questions as independent (the bootstrap keeps passages together).",
        f"Holm: adjusted for the {hypotheses} masks of the benchmark; random masks and the mask of all "
        "neurons are references, not hypotheses.",
    ]  # fmt: skip
    if several.any():
        notes.append(f"Several seeds: mean drop; ‡: smallest and largest seed; p: seeds below {LEVEL}.")
    title = f"{labels.title_of(suite)}: drops on {labels.models[model]} and their tests."
    tidy = rows.drop(columns=["score", "score_sd", "low", "high", "probability", "interval"])
    tidy = tidy.assign(target=target, contains_zero=unclear).rename(columns={"label": "mask_set"})
    return Table(title, tidy, cells, notes)


def f1_differences(
    langspec_f1: pd.DataFrame, labels: Labels, *, suite: str, reference: str, resamples: int
) -> Table:
    """LangSpec-F1 of every mask set minus that of `reference`, in the same bootstrap samples.

    Raises:
        ResultsError: the results lack a row, or were not compared with `reference`.
    """
    measured = langspec_f1[langspec_f1["suite"] == suite]
    if reference not in set(measured["reference"]):
        raise ResultsError(f"LangSpec-F1: not compared with mask set {reference!r}; run score_masks again")
    rows = _f1_rows(langspec_f1, labels, suite)
    f1s = rows[rows["label"] == reference].set_index(["model", "mask_language"])["f1"]
    rows = rows[rows["label"] != reference].reset_index(drop=True)
    where = pd.MultiIndex.from_frame(rows[["model", "mask_language"]])
    rows = rows.assign(reference=reference, reference_f1=f1s.reindex(where).to_numpy())
    clear = (rows["difference_low"] > 0) | (rows["difference_high"] < 0)
    clear &= rows["interval"] == "bootstrap"  # the range of a few seeds is no interval
    cells = _by_model(
        rows,
        labels,
        {
            "F1": rows["f1"].map(number) + rows["distinguishable"].map(flag),
            "Difference": rows["difference"].map(signed) + np.where(clear, "*", ""),
            "95% interval": list(
                map(bounds, rows["difference_low"], rows["difference_high"], rows["interval"])
            ),
        },
    )
    shown = labels.name(reference)
    notes = [
        f"Questions: {questions_by_language(rows)}.",
        f"Difference: LangSpec-F1 minus that of {shown} for the same model and language; positive: {shown} is lower.",
        f"Brackets: 95% percentile bootstrap of the difference, {resamples:,} resamples of the questions, the "
        "same for both.",
        "*: the interval leaves out 0; not adjusted for the number of comparisons.",
        TARGET_UNCLEAR,
    ]
    if (rows["seeds"] > 1).any():
        notes.append("Several seeds: mean difference; ‡: smallest and largest seed, in place of an interval.")
    title = f"{labels.title_of(suite)}: LangSpec-F1 of every mask set against {shown}."
    columns = ["model", "label", "method", "mask_language", "suite", "kind", "seeds", "interval", "f1", "reference",
               "reference_f1", "difference", "difference_low", "difference_high"]  # fmt: skip
    return Table(title, rows[columns].rename(columns={"label": "mask_set"}), cells, notes)


def null_distribution(langspec_f1: pd.DataFrame, labels: Labels, *, suite: str) -> Table:
    """Percentile and p-value of every mask set's LangSpec-F1 among its random mask sets.

    Raises:
        ResultsError: the results lack a row, or the study has no random mask set.
    """
    measured = langspec_f1[(langspec_f1["suite"] == suite) & ~langspec_f1["method"].isin(REFERENCES)]
    if measured["null_p"].isna().all():
        raise ResultsError("null distribution: the study has no random mask set")
    rows = _f1_rows(measured, labels, suite)
    facts = measured.set_index(["model", "label", "mask_language"])[["null", "null_likeness"]]
    rows[list(facts)] = facts.reindex(pd.MultiIndex.from_frame(rows[facts.index.names])).to_numpy()
    cells = _by_model(
        rows,
        labels,
        {
            "F1": rows["f1"].map(number) + rows["distinguishable"].map(flag),
            "Random": rows["null_mean"].map(number),
            "Percentile": rows["null_percentile"].map(integer),
            "p": rows["null_p"].map(p_value),
            "p (Holm)": rows["null_p_holm"].map(p_value),
        },
    )
    alike = rows[rows["model"] == next(iter(labels.models))]["null_likeness"]
    cells.insert(2, ("", "Random sets"), alike.fillna(NOTHING).to_numpy())
    seeds = rows.groupby("null", sort=False)["null_seeds"].max().astype(int)
    reach = ", ".join(
        f"{count} ({labels.mask_sets[null]}: p is at least {1 / (1 + count):.3f})"
        for null, count in seeds.items()
    )
    notes = [
        f"Questions: {questions_by_language(rows)}.",
        "Random: mean LangSpec-F1 of the random mask sets. Percentile: share of them with a lower F1, equal ones "
        "by half.",
        f"p: (1 + random sets with as high an F1) / (1 + random sets); random sets: {reach}. Holm: over the masks of "
        "the suite and model.",
        f"Random sets: how like the mask they are; only at '{LIKENESS[-1]}' (as many neurons in each layer) is the "
        f"comparison like with like, '{LIKENESS[0]}' and '{LIKENESS[1]}' say little.",
        TARGET_UNCLEAR,
    ]
    title = f"{labels.title_of(suite)}: LangSpec-F1 among random mask sets."
    columns = ["model", "label", "method", "mask_language", "suite", "kind", "f1", *facts, "null_seeds", "null_mean",
               "null_percentile", "null_p", "null_p_holm"]  # fmt: skip
    tidy = rows[columns].rename(columns={"label": "mask_set"}).astype({"null_seeds": "Int64"})
    return Table(title, tidy, cells, notes)


def _f1_rows(langspec_f1: pd.DataFrame, labels: Labels, suite: str) -> pd.DataFrame:
    """Return `f1_rows` of the mask sets that are there, for all models."""
    return f1_rows(langspec_f1, labels.only(set(langspec_f1["label"])), list(labels.models), suite)


def _by_model(rows: pd.DataFrame, labels: Labels, columns: dict[str, Sequence[str]]) -> pd.DataFrame:
    """Put the models' columns beside each other: one row per mask."""
    mask = ["label", "mask_language"]
    masks = rows[mask].drop_duplicates()
    seeds = rows.groupby("label")["seeds"].max()
    cells: dict[tuple[str, str], Sequence[str]] = {
        ("", "Method"): [labels.name(label, seeds[label]) for label in masks["label"]],
        ("", "Mask"): masks["mask_language"].tolist(),
    }
    index = pd.MultiIndex.from_frame(rows[["model", *mask]])
    for model in labels.models:
        for column, texts in columns.items():
            column_of = pd.Series(list(texts), index=index).loc[model]
            group = labels.models[model] if len(labels.models) > 1 else ""
            cells[group, column] = column_of.reindex(pd.MultiIndex.from_frame(masks)).tolist()
    return pd.DataFrame(cells)
