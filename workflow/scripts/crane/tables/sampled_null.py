"""Table of every mask among many random ones, all measured on one part of the questions."""

from collections.abc import Mapping

import pandas as pd

from crane.names import PERPLEXITY
from crane.results.cells import NOTHING, integer, number, p_value, signed
from crane.results.labels import Labels, ResultsError
from crane.results.selectivity import in_order, part_name, part_unit, parts_of
from crane.scores.null_distribution import LIKENESS
from crane.tables.rendering import Table

KEYS = ["suite", "label", "mask_language"]
STATISTICS = {"d": "D", "f1": "LangSpec-F1"}
"""Statistic -> what it is called."""


def sampled_null_table(
    sampled_null: pd.DataFrame, labels: Labels, *, random: Mapping[str, str], seed: int
) -> Table:
    """Return D and LangSpec-F1 of every mask on the part of the questions, and their place among random masks there.

    Args:
        sampled_null: of `crane.scores.sampled_null.sampled_null`.
        labels: of the study.
        random: the random sets of the part -> what they are called.
        seed: with which the part was drawn.

    Raises:
        ResultsError: no results of a mask set and a model of the study.
    """
    known = sampled_null[sampled_null["label"].isin(list(labels.mask_sets))]
    known = known[known["model"].isin(list(labels.models))]
    if known.empty:
        raise ResultsError("null on a part of the questions: no results of a mask set of this study")
    rows = in_order(known, labels, [*KEYS, "model"])
    masks = rows[KEYS].drop_duplicates()
    where = pd.MultiIndex.from_frame(masks)
    first = rows.drop_duplicates(KEYS).set_index(KEYS).loc[where]
    cells = {
        ("", "Questions"): [part_name(labels, suite) for suite in masks["suite"]],
        ("", "Method"): [labels.name(label) for label in masks["label"]],
        ("", "Mask"): masks["mask_language"].tolist(),
        ("", "n"): [f"{n:,} of {of:,}" for n, of in zip(first["questions"], first["of"], strict=True)],
        ("", "Random sets"): first["null_likeness"].fillna(NOTHING).tolist(),
    }
    for model, title in labels.models.items():
        for statistic, name in STATISTICS.items():
            here = (
                rows[(rows["model"] == model) & (rows["statistic"] == statistic)]
                .set_index(KEYS)
                .reindex(where)
            )
            group = f"{title}: {name}" if len(labels.models) > 1 else name
            shown = signed if statistic == "d" else number
            if here["value"].notna().any():
                cells[group, name] = here["value"].map(shown).tolist()
                cells[group, "Random"] = here["null_mean"].map(shown).tolist()
                cells[group, "Percentile"] = here["null_percentile"].map(integer).tolist()
                cells[group, "p"] = here["null_p"].map(p_value).tolist()
                cells[group, "p (Holm)"] = here["null_p_holm"].map(p_value).tolist()
    seeds = rows.dropna(subset="null").groupby("null", sort=False)["null_seeds"].max().astype(int)
    reach = ", ".join(
        f"{random[name]}: {count} (p is at least {1 / (1 + count):.3f})" for name, count in seeds.items()
    )
    units = ", ".join(
        f"{part_name(labels, suite)}: {part_unit(labels, suite)}" for suite in parts_of(rows, labels)
    )
    notes = [
        f"Measured on a part of the questions (n; drawn once with seed {seed}, by strata, the same for all masks and "
        "seeds), the masks' own D and LangSpec-F1 as well: on all questions, in the other tables, they differ.",
        "D: drop of the masked language minus the largest drop of another one "
        f"({units}). Random: mean of the random mask sets; percentile: share of them below, equal ones by half.",
        f"p: (1 + random sets that reach as much) / (1 + random sets). Seeds: {reach}. Holm: over the masks of the "
        "questions and model.",
        f"Random sets: how like the mask they are; only at '{LIKENESS[-1]}' (as many neurons in each layer) is the "
        "comparison like with like.",
    ]
    if set(rows["suite"]) == {PERPLEXITY}:
        notes = [note.replace("own D and LangSpec-F1", "own D") for note in notes]
    tidy = rows.rename(columns={"label": "mask_set", "mask_set": "name"}).drop(columns="name")
    title = "Every mask among many random ones, on a part of the questions."
    return Table(title, tidy.astype({"null_seeds": "Int64"}), pd.DataFrame(cells), notes, keys=3)
