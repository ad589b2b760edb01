"""Tables 1-4 of the paper and the counts of masked neurons: result frames in, tables out.

Rows and columns come in the order of `Labels`.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from crane.names import NO_MASK
from crane.results.cells import (
    AGAINST_EACH,
    BELOW_DESTROYED,
    NOTHING,
    TARGET_UNCLEAR,
    bounds,
    flag,
    number,
    of_asked,
    percent,
    signed,
)
from crane.results.frames import asked_questions, f1_rows, masks_of, score_rows
from crane.results.labels import Labels
from crane.tables.rendering import Table

SELECTIVITY = (
    "D: drop of the masked language minus the largest drop of another one; above 0 the mask hurts its own language "
    "most. LangSpec-F1 rewards damage: a mask that destroys the model has a D of about 0 and an F1 of up to 2/3 "
    "(p of D: table selectivity)."
)
IN_LANGUAGE = (
    "In en, ...: share of answers in the language asked in, of those whose language can be told (three words or more, "
    "or four characters of a script without spaces); – where these are less than half."
)


def score_table(
    scores: pd.DataFrame,
    langspec_f1: pd.DataFrame,
    labels: Labels,
    *,
    suite: str,
    models: Sequence[str],
    identified_on: str,
    resamples: int,
) -> Table:
    """Tables 1-4: scores under every mask, one column per benchmark, selectivity D and LangSpec-F1.

    Tables 1 and 2 are a suite of kind `nlu` and one of kind `open` on the model the neurons were identified on.
    With other `models` it is a transfer (Table 3: both models; Table 4: the transfer model), and D and
    LangSpec-F1 are the transfer models'.
    `resamples` is the size of the bootstrap, for the note.

    Raises:
        ResultsError: the results lack a row of the table, see `score_rows` and `f1_rows`.
    """
    scored = score_rows(scores, labels, models, suite)
    effects = f1_rows(langspec_f1, labels, models, suite)
    transferred = [model for model in models if model != identified_on]
    measured = transferred or list(models)

    mask = ["label", "mask_language"]
    columns: dict[tuple[str, str], pd.Series] = {}
    counts = effects[effects["model"] == measured[0]].set_index(mask)
    columns["", "Neurons"] = counts["neurons"].combine(counts["neurons_asked"], of_asked)
    for model, benchmark in product(models, labels.benchmarks_of(suite)):
        column = scored[(scored["model"] == model) & (scored["benchmark"] == benchmark)].set_index(mask)
        group = labels.models[model] if len(models) > 1 else ""
        texts = map(number, column["score"], column["score_sd"])
        columns[group, labels.benchmarks[benchmark]["label"]] = pd.Series(texts, index=column.index)
    for model, benchmark in product(models, labels.benchmarks_of(suite) if _told(scored) else ()):
        column = scored[(scored["model"] == model) & (scored["benchmark"] == benchmark)].set_index(mask)
        group = labels.models[model] if len(models) > 1 else ""
        columns[group, f"In {labels.benchmarks[benchmark]['language']}"] = column["in_language"].map(percent)
    for model in measured:
        column = effects[effects["model"] == model].set_index(mask)
        group = labels.models[model] if len(models) > 1 else ""
        columns[group, "D"] = column["d"].map(signed)
        selective = map(bounds, column["d_low"], column["d_high"], column["interval"])
        columns[group, "95% interval of D"] = pd.Series(selective, index=column.index)
        flags = column["distinguishable"].map(flag)
        marks = pd.Series(np.where(below_destroyed(column), BELOW_DESTROYED, ""), index=column.index)
        columns[group, "LangSpec-F1"] = column["f1"].combine(column["f1_sd"], number) + flags + marks
        intervals = map(bounds, column["low"], column["high"], column["interval"])
        columns[group, "95% interval"] = pd.Series(intervals, index=column.index)
        if labels.kind_of(suite) == "nlu":
            columns[group, "F1 (prob.)"] = column["f1_probability"].map(number)

    masks = pd.MultiIndex.from_tuples(masks_of(labels), names=mask)
    cells = pd.DataFrame({key: text.reindex(masks, fill_value=NOTHING) for key, text in columns.items()})
    seeds = scored.groupby("label")["seeds"].max().to_dict()
    cells.insert(0, ("", "Mask"), [NOTHING if code == NO_MASK else code for _, code in masks])
    cells.insert(0, ("", "Method"), [labels.name(label, seeds.get(label, 1)) for label, _ in masks])

    shown = " and ".join(labels.models[model] for model in models)
    title = f"{labels.title_of(suite)} results on {shown} with neurons masked."
    if transferred:
        title += f" The neurons were identified on {labels.models[identified_on]} and are masked as they are."
    tidy = _tidy(scored, effects)
    notes = _notes(scored, labels, suite, resamples)
    if destroyed := labels.only(set(effects.loc[effects["method"] == "all", "label"])).mask_sets.values():
        notes.append(
            f"{BELOW_DESTROYED}: not above the LangSpec-F1 of {' or '.join(destroyed)} (all MLP neurons masked), which "
            "is what damage to every language earns: such an F1 is no evidence of neurons of the language."
        )
    return Table(title, tidy, cells.reset_index(drop=True), notes)


def below_destroyed(effects: pd.DataFrame) -> pd.Series:
    """Say which masks have no higher LangSpec-F1 than a model without its MLP neurons (method, section 12).

    Args:
        effects: rows of `f1_rows` of one model, indexed by label and mask_language.

    Returns:
        bool by the same index; False where a mask has no F1, for the mask of all neurons, and without such a mask.
    """
    destroyed = effects[effects["method"] == "all"].groupby("mask_language")["f1"].max()
    bar = effects.index.get_level_values("mask_language").map(destroyed).to_numpy(float)
    return (effects["f1"] <= bar) & (effects["method"] != "all")


def _told(scored: pd.DataFrame) -> bool:
    """Say whether the language of any answer is known."""
    return "in_language" in scored and bool(scored["in_language"].notna().any())


def _tidy(scored: pd.DataFrame, effects: pd.DataFrame) -> pd.DataFrame:
    """Join scores and LangSpec-F1: one row per model, mask and benchmark, whole numbers as such."""
    f1 = effects.drop(columns=["method", "suite", "kind", "seeds", "interval"])
    f1 = f1.rename(columns={"low": "f1_low", "high": "f1_high"})
    tidy = scored.merge(f1, on=["model", "label", "mask_language"], how="left", validate="many_to_one")
    tidy = tidy.rename(columns={"label": "mask_set"})
    return tidy.astype(dict.fromkeys(("n", "neurons", "seeds"), "Int64"))


def _notes(scored: pd.DataFrame, labels: Labels, suite: str, resamples: int) -> list[str]:
    asked = asked_questions(scored, labels)
    notes = [f"Scores: mean {labels.measure_of(suite)}, higher is better. Questions: {asked}."]
    if labels.kind_of(suite) == "open":
        missing = int((scored["missing"] * scored["seeds"]).sum())
        notes.append(f"Scores by {labels.judge}. Answers without a score, left out: {missing}.")
        if _told(scored):
            notes.append(IN_LANGUAGE)
    notes.append(
        f"Brackets: 95% percentile bootstrap over questions, {resamples:,} resamples, the same for all masks; of D and "
        f"LangSpec-F1, {AGAINST_EACH}."
    )
    notes.append(SELECTIVITY)
    if labels.kind_of(suite) == "nlu":
        notes.append("F1 (prob.): LangSpec-F1 of the mean probability of the right choice.")
    notes.append(TARGET_UNCLEAR)
    if (scored["seeds"] > 1).any():
        notes.append(
            "±: standard deviation over the seeds, beside their mean; ‡: smallest and largest seed, in place "
            "of an interval. Such a row carries † unless the drop is distinguishable for every seed."
        )
    return notes
