"""The first page: whether each method's neurons are those of a language, in one sentence with its numbers."""

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pandas as pd

from crane.names import PERPLEXITY
from crane.results.answers import (
    AS_RANDOM,
    DAMAGE,
    FAIR,
    LEVELS,
    NO_LOSS,
    REPRODUCED,
    SELECTIVE,
    TOO_FEW,
    UNCOMPARED,
    UNDECIDED,
    UNMEASURED,
    VERDICTS,
    answer_rows,
)
from crane.results.cells import NOTHING, bounds, integer, p_value, signed
from crane.results.labels import Labels
from crane.results.selectivity import LEVEL, Contrasts, part_name, part_unit, parts_of
from crane.scores.mask_sets import Groups, Summaries
from crane.tables.rendering import Table

LIKE = dict(zip(FAIR, ("with as many neurons", "with as many in each layer"), strict=True))


def answers_table(
    contrasts: Contrasts,
    summaries: Summaries,
    groups: Groups,
    labels: Labels,
    stability: pd.DataFrame | None = None,
    *,
    sampled_null: pd.DataFrame | None = None,
    random: Mapping[str, str] = MappingProxyType({}),
) -> Table:
    """Return the verdicts of every mask, a row per method and language, and the sentences.

    Arguments and errors are those of `crane.results.answers.answer_rows`; `random` names the random sets that are
    measured on a part of the questions alone. The tidy shape has a row per kind of
    questions, with all numbers of the sentences.
    """
    rows = answer_rows(contrasts, summaries, groups, labels, stability, sampled_null)
    masks = rows[["label", "mask_language"]].drop_duplicates()
    columns: dict[tuple[str, str], list[str]] = {
        ("", "Method"): [labels.name(label) for label in masks["label"]],
        ("", "Mask"): masks["mask_language"].tolist(),
        ("", "Neurons"): [integer(count) for count in rows.loc[masks.index, "neurons"]],
    }
    where = pd.MultiIndex.from_frame(masks)
    for model, title in labels.models.items():
        for part in parts_of(rows, labels):
            here = rows[(rows["model"] == model) & (rows["suite"] == part)]
            if len(here):
                found = here.set_index(["label", "mask_language"])["verdict"].reindex(where)
                group = title if len(labels.models) > 1 else ""
                columns[group, part_name(labels, part)] = found.fillna(NOTHING).tolist()
    halves = rows.loc[masks.index, "split_half"]
    columns["", "Stable"] = [
        NOTHING if pd.isna(each) else "yes" if each >= REPRODUCED else "no" for each in halves
    ]
    known = set(rows["verdict"])
    legend = "; ".join(f"{name}: {meaning}" for name, meaning in VERDICTS.items() if name in known)
    notes = [
        *([f"{legend[0].upper()}{legend[1:]}."] if legend else []),
        f"Level {LEVEL}, over questions, with Holm's correction over the masks of a model and kind of questions (table "
        f"selectivity). Stable: halves of the texts choose neurons with a Jaccard index of {REPRODUCED} or more (table "
        "stability). Fewer than 20 random seeds cannot show that a mask is above 95% of them.",
    ]
    tidy = rows.drop(columns="mask_set").rename(columns={"label": "mask_set"})
    return Table(
        "What the study answers.", tidy, pd.DataFrame(columns), notes, text=sentences(rows, labels, random)
    )


def sentences(
    rows: pd.DataFrame, labels: Labels, random: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """Return one sentence per model, method and language.

    Args:
        rows: of `crane.results.answers.answer_rows`.
        labels: of the study.
        random: names of the random sets that are measured on a part of the questions alone.
    """
    labels = replace(labels, mask_sets={**labels.mask_sets, **random})
    found = []
    for (model, label, code), of_mask in rows.groupby(["model", "label", "mask_language"], sort=False):
        first = of_mask.iloc[0]
        on = f" on {labels.models[model]}" if len(labels.models) > 1 else ""
        subject = (
            f"{labels.name(label)}, {labels.languages[code]}{on}: the {integer(first['neurons'])} neurons "
        )
        clauses = [_clause(row, labels) for row in of_mask.to_dict("records")]
        found.append(f"{subject}{'; '.join([*clauses, _stable(first)])}.")
    return found


def page(table: Table) -> str:
    """Return the sentences as a list in reStructuredText, for the first page of the report."""
    lines = []
    for sentence in table.text:
        subject, _, said = re.sub(r"([\\*`_|])", r"\\\1", sentence).partition(": ")
        lines.append(f"* **{subject}**: {said}\n")
    return "".join(lines)


def _clause(row: Mapping[str, Any], labels: Labels) -> str:
    """Say what the neurons do on one kind of questions."""
    on = part_name(labels, row["suite"])
    on = on if on.split()[0].isupper() else on[0].lower() + on[1:]
    own, other, said = row["mask_language"], row["d_language"], row["verdict"]
    if said == UNMEASURED:
        return f"were not measured on {on}"
    if said == TOO_FEW:
        what = "documents" if row["suite"] == PERPLEXITY else "questions"
        least = f"p is at least {p_value(row['smallest_p'])} for each of {row['hypotheses']:.0f} masks"
        return f"cannot be judged on {on}, with too few {what} or randomisations ({least})"
    test = f"D {signed(row['d'], 3)} {_bounds(row, 'd')}, p {_p(row['d_p_holm'])}"
    lost = f"{own} loses {_loss(row, 'lost')}, of the others {other} most, {_loss(row, 'other_lost')}"
    numbers = f"({part_unit(labels, row['suite'])}: {test}; {lost}; {_beside(row, labels)})"
    if said in (SELECTIVE, AS_RANDOM, UNCOMPARED):
        level = next(level for level in LEVELS if row["d_p_holm"] < level)
        but = ", but random ones reach as much" if said == AS_RANDOM else ""
        return f"are selective on {on} at the {100 * level:g}% level{but} {numbers}"
    return {
        DAMAGE: f"do damage on {on}, not shown to be selective {numbers}",
        UNDECIDED: f"cost {own} something on {on}, not shown to be more than they cost {other} {numbers}",
        NO_LOSS: f"are not shown to cost {own} anything on {on} {numbers}",
    }[said]


def _p(p: float) -> str:
    shown = p_value(p)
    return f"< {shown[1:]}" if shown.startswith("<") else f"= {shown}"


def _bounds(row: Mapping[str, Any], column: str) -> str:
    return bounds(row[f"{column}_low"], row[f"{column}_high"], "").replace("-", "−")


def _loss(row: Mapping[str, Any], column: str) -> str:
    return f"{signed(row[column], 3).removeprefix('+')} {_bounds(row, column)}"


def _beside(row: Mapping[str, Any], labels: Labels) -> str:
    if not row["random_seeds"]:
        return "no random masks of as many neurons were measured"
    masks = f"{row['random_reaching']} of {row['random_seeds']} masks of {labels.name(row['random'])}"
    what = "documents" if row["suite"] == PERPLEXITY else "questions"
    part = "" if pd.isna(row["random_questions"]) else f", on a part of {row['random_questions']:.0f} {what},"
    like = LIKE[row["random_likeness"]]
    return f"{masks}, {like}{part or ','} have as large a D, p = {p_value(row['random_p'])}"


def _stable(row: Mapping[str, Any]) -> str:
    if pd.isna(row["split_half"]):
        return "whether other texts would choose them was not measured"
    return (
        f"the choices from halves of the texts have a Jaccard index of {row['split_half']:.2f} "
        f"({row['by_chance']:.2f} by chance)"
    )
