"""Tables of selectivity: does a mask hurt its own language more than every other one, and do languages dissociate?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crane.results.cells import AGAINST_EACH, NOTHING, bounds, p_value, signed
from crane.results.labels import Labels
from crane.results.selectivity import (
    LEVEL,
    Contrasts,
    dissociation_rows,
    part_name,
    part_unit,
    parts_of,
    selectivity_rows,
)
from crane.tables.rendering import Table

KEYS = 3
"""Columns that say what a row is about: questions, method, and mask or pair."""
OVER_UNITS = (
    "p is a one-sided randomisation test over questions (documents): it says whether other questions would show the "
    "same, not whether other neurons would; compare the rows of random masks for that."
)


def selectivity_table(contrasts: Contrasts, labels: Labels, *, resamples: int) -> Table:
    """D of every mask with its interval and p, all suites and perplexity: a row per mask, columns per model.

    Raises:
        ResultsError: no results.
    """
    rows = selectivity_rows(contrasts, labels)
    cells = _by_model(
        rows,
        labels,
        ("Mask", "mask_language"),
        {
            "D": rows["d"].map(signed),
            "95% interval": list(map(bounds, rows["d_low"], rows["d_high"], rows["interval"])),
            "Against": rows["d_language"].fillna(NOTHING).astype(str),
            "p (Holm)": _tested(rows, "d_p_holm"),
        },
    )
    notes = [
        "D: what the mask costs its own language minus what it costs the language that suffers most among the others "
        f"(Against); {_units(rows, labels)}. Above 0 the mask hurts its own language most. A mask that destroys the "
        "model has a D of about 0, but a LangSpec-F1 of up to 2/3: F1 rewards damage, D does not.",
        f"Brackets: 95% percentile bootstrap, {resamples:,} resamples; {AGAINST_EACH}. D is estimated too low, not too "
        "high, where several others lose as much.",
        "p: of no selectivity, the largest over the other languages of the p of a smaller or equal loss "
        f"(intersection-union test). Holm: over the masks of a suite and model; {_few(rows)}",
        OVER_UNITS,
    ]
    return Table(f"Selectivity of every mask{_alone(labels)}.", _tidy(rows), cells, notes, KEYS)


def dissociation_table(contrasts: Contrasts, labels: Labels, *, resamples: int) -> Table:
    """Double dissociation of every pair of languages under every mask set, all suites and perplexity.

    Raises:
        ResultsError: no results.
    """
    rows = dissociation_rows(contrasts, labels)
    rows["pair"] = rows["first"] + " – " + rows["second"]
    cells = _by_model(
        rows,
        labels,
        ("Pair", "pair"),
        {
            "First masked": rows["first_difference"].map(signed),
            "Second masked": rows["second_difference"].map(signed),
            "95% interval": list(
                map(bounds, rows["difference_low"], rows["difference_high"], rows["interval"])
            ),
            "p": _tested(rows, "p"),
            "p (Holm)": rows["p_holm"].map(p_value),
        },
    )
    notes = [
        "First masked: by how much more the mask of the pair's first language hurts the first language than the "
        f"second; Second masked: the other way round; {_units(rows, labels)}. Both above 0: a double dissociation, "
        "which no difference in difficulty between the two languages explains.",
        f"Brackets: of the smaller one, the smaller of the 95% percentile bootstrap bounds ({resamples:,} resamples), "
        "the upper ones at a level corrected for two.",
        f"p: the larger of the two one-sided p. Holm: over the mask sets and pairs of a suite and model; {_few(rows)}",
        OVER_UNITS,
    ]
    tidy = _tidy(rows.drop(columns="pair"))
    return Table(f"Double dissociation of languages{_alone(labels)}.", tidy, cells, notes, KEYS)


def _tested(rows: pd.DataFrame, p: str) -> Sequence[str]:
    several = rows["seeds_below"].astype(int).astype(str) + " of " + rows["seeds"].astype(str)
    return np.where(rows["seeds"] > 1, several, rows[p].map(p_value)).tolist()


def _units(rows: pd.DataFrame, labels: Labels) -> str:
    """Say in what the losses of each suite are measured."""
    return ", ".join(
        f"{part_name(labels, suite)}: {part_unit(labels, suite)}" for suite in parts_of(rows, labels)
    )


def _few(rows: pd.DataFrame) -> str:
    text = "random masks and the mask of all neurons are references, not hypotheses."
    if (rows["seeds"] > 1).any():
        text += f" Several seeds: mean; ‡: smallest and largest seed; p: seeds below {LEVEL}, not adjusted."
    return text


def _alone(labels: Labels) -> str:
    """Return the model where there is one only: the columns do not name it."""
    return f" on {next(iter(labels.models.values()))}" if len(labels.models) == 1 else ""


def _tidy(rows: pd.DataFrame) -> pd.DataFrame:
    spreads = [column for column in rows if column.endswith("_sd")]
    return rows.drop(columns=spreads).rename(columns={"label": "mask_set"})


def _by_model(
    rows: pd.DataFrame, labels: Labels, masked: tuple[str, str], columns: dict[str, Sequence[str]]
) -> pd.DataFrame:
    """Put the models' columns beside each other: one row per suite, mask set and what is masked (heading, column)."""
    index = pd.MultiIndex.from_frame(rows[["suite", "label", masked[1]]])
    places = index.drop_duplicates()
    seeds = rows.groupby(["suite", "label"])["seeds"].max()
    suites, names, last = (places.get_level_values(level) for level in range(3))
    cells: dict[tuple[str, str], Sequence[str]] = {
        ("", "Questions"): [part_name(labels, suite) for suite in suites],
        ("", "Method"): [
            labels.name(*pair)
            for pair in zip(names, seeds[list(zip(suites, names, strict=True))], strict=True)
        ],
        ("", masked[0]): list(last),
    }
    for model, title in labels.models.items():
        here = (rows["model"] == model).to_numpy()
        for column, texts in columns.items():
            of_model = pd.Series(list(texts), index=index)[here]
            group = title if len(labels.models) > 1 else ""
            cells[group, column] = of_model.reindex(places, fill_value=NOTHING).tolist()
    return pd.DataFrame(cells)
