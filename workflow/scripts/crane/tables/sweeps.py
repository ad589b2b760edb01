"""The tables of the sweeps: a row per point and mask language."""

import pandas as pd

from crane.results.cells import AGAINST_EACH, NOTHING, TARGET_UNCLEAR, bounds, flag, number
from crane.results.frames import questions_by_language
from crane.results.labels import Labels
from crane.results.sweeps import points_of, setting_name
from crane.scores.sweeps import ALL, DISCOVERY, VALIDATION
from crane.tables.rendering import Table

TITLES = {
    "budget": "All methods at common budgets",
    "threshold": "The threshold varied",
    "ablation": "One setting at a time replaced, at one common budget",
    "intervention": "What is done to the neurons varied",
}


def sweep_table(points: pd.DataFrame, labels: Labels, *, sweep: str, suite: str, resamples: int) -> Table:
    """Return the table of one sweep.

    Where a setting is chosen (threshold, ablation) all points are shown on the discovery half, and on the validation
    half the chosen one and those that the study has configured: no winner is shown on questions that chose it.

    Args:
        points: of `crane.scores.sweeps.score_sweep`.
        labels: of the study.
        sweep: its name.
        suite: what was evaluated.
        resamples: size of the bootstrap, for the note.
    """
    halves = DISCOVERY in set(points["part"])
    seen = points_of(points, DISCOVERY if halves else ALL, labels)
    seeds = seen.groupby("label")["seeds"].max()
    columns: dict[tuple[str, str], list[str]] = {
        ("", "Method"): [labels.name(label, seeds[label]) for label in seen["label"]],
        ("", "Setting"): [
            setting_name(varied, setting) + (" (chosen)" if chosen else "")
            for varied, setting, chosen in zip(seen["varied"], seen["setting"], seen["chosen"], strict=True)
        ],
        ("", "Mask"): list(seen["mask_language"]),
        ("", "Neurons"): [f"{count:,.0f}" for count in seen["neurons"]],
    }
    group = "Discovery half" if halves else ""
    columns |= _effect(group, seen, bracketed=not halves)
    tidy = seen
    if halves:
        validated = points_of(points, VALIDATION, labels)
        shown = validated["chosen"] | validated["configured"]
        for key, cells in _effect("Validation half", validated, bracketed=True).items():
            columns[key] = [cell if show else NOTHING for cell, show in zip(cells, shown, strict=True)]
        tidy = pd.concat([seen.assign(part=DISCOVERY), validated[shown].assign(part=VALIDATION)])
    title = f"{TITLES[sweep]}: {labels.title_of(suite)} ({suite})."
    notes = _notes(points, labels, suite, halves, resamples)
    return Table(title, tidy, pd.DataFrame(columns), notes)


def _effect(group: str, points: pd.DataFrame, *, bracketed: bool) -> dict[tuple[str, str], list[str]]:
    rows = points.to_dict("records")
    drops = [f"{row['target_drop']:+.4f}" for row in rows]
    if bracketed:
        limits = [bounds(row["target_drop_low"], row["target_drop_high"], row["interval"]) for row in rows]
        drops = [f"{drop} {limit}" for drop, limit in zip(drops, limits, strict=True)]
    columns = {
        (group, "Target drop"): drops,
        (group, "Other drop"): [f"{row['other_drop']:+.4f}" for row in rows],
        (group, "LangSpec-F1"): [
            number(row["f1"], row["f1_sd"]) + flag(row["distinguishable"]) for row in rows
        ],
    }
    if bracketed:
        columns[group, "95% interval"] = [bounds(row["low"], row["high"], row["interval"]) for row in rows]
    return columns


def _notes(table: pd.DataFrame, labels: Labels, suite: str, halves: bool, resamples: int) -> list[str]:
    model = labels.models[table["model"].iloc[0]]
    sizes = {part: questions_by_language(rows) for part, rows in table.groupby("part")}
    notes = [
        f"{model}; drops: original − masked, mean {labels.measure_of(suite)}, a positive one is a loss; other drop: "
        f"the largest of the other languages. Questions: {sizes[ALL]}."
    ]
    if halves:
        notes.append(
            f"Questions are split by a hash (discovery half: {sizes[DISCOVERY]}; validation half: "
            f"{sizes[VALIDATION]}). The chosen setting has the highest LangSpec-F1, mean over the masks, on the "
            "discovery half (none is chosen where all are 0); the validation half is shown for it and for what the "
            "study has (threshold) or starts from (reference)."
        )
    notes.append(
        f"Brackets: 95% percentile bootstrap over questions, {resamples:,} resamples, the same for all masks; of "
        f"LangSpec-F1, {AGAINST_EACH}."
    )
    notes.append(TARGET_UNCLEAR)
    if (table["method"] == "random").any():
        notes.append("±: standard deviation over the seeds, beside their mean; ‡: smallest and largest seed.")
    return notes
