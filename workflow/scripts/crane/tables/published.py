"""Table of the paper's published numbers beside this run's."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from crane.names import NO_MASK
from crane.results.cells import NOTHING, TARGET_UNCLEAR, bounds, flag, number
from crane.results.labels import Labels
from crane.results.published import (
    BENCHMARKS,
    LANGSPEC_F1,
    against_destroyed,
    beside,
    errata,
    heading,
    printed,
)
from crane.tables.rendering import Table


def published_table(
    scores: pd.DataFrame,
    langspec_f1: pd.DataFrame,
    paper_scores: pd.DataFrame,
    paper_f1: pd.DataFrame,
    labels: Labels,
    *,
    published: Mapping[str, Any],
    model: str,
    suite: str,
) -> Table:
    """The published number, the run's, its interval, and whether the published lies in it.

    Args:
        scores: the run's.
        langspec_f1: the run's.
        paper_scores: the paper's, as of `crane.results.published.printed`.
        paper_f1: the paper's.
        labels: what the run calls things.
        published: what of the run stands for what of the paper, as of `crane.results.published.beside`.
        model: of the run.
        suite: of the run.
    """
    rows = beside(
        printed(paper_scores, paper_f1), scores, langspec_f1, labels, published, model=model, suite=suite
    )
    effect = rows["benchmark"].isna()
    rerun = rows["rerun"].map(number) + rows["distinguishable"].map(flag).where(effect, "")
    cells = pd.DataFrame(
        {
            ("", "Method"): list(map(labels.name, rows["label"], rows["seeds"])),
            ("", "Mask"): rows["mask_language"].replace(NO_MASK, NOTHING),
            ("", "Measure"): [
                LANGSPEC_F1 if pd.isna(benchmark) else labels.benchmarks[benchmark]["label"]
                for benchmark in rows["benchmark"]
            ],
            ("Paper", "Measure"): rows["measure"].map({**BENCHMARKS, LANGSPEC_F1: LANGSPEC_F1}),
            ("Paper", "Value"): rows["paper"].map(number) + np.where(rows["erratum"], "§", ""),
            ("Paper", "Destroyed"): rows["destroyed"].map(number),
            ("This run", "Value"): rerun,
            ("This run", "95% interval"): list(map(bounds, rows["low"], rows["high"], rows["interval"])),
            ("This run", "Paper inside"): rows["inside"].map({True: "yes", False: "no"}).fillna(NOTHING),
        }
    )  # fmt: skip
    inside = rows["inside"].dropna()
    notes = heading(labels, published, model)
    notes.append(
        f"Paper inside: the published value lies in this run's interval, {int(inside.sum())} of {len(inside)} cells. "
        "The interval is over questions (‡: smallest to largest seed) and says nothing about the paper's own error."
    )
    notes.append(TARGET_UNCLEAR.replace(":", " (this run's LangSpec-F1):", 1))
    if labels.kind_of(suite) == "open":
        notes.append(f"This run's scores by {labels.judge}; the paper's by its own judge.")
    notes += [*against_destroyed(rows, labels.kind_of(suite)), *errata(rows)]
    title = f"{labels.title_of(suite)}: the paper's numbers beside this run's on {labels.models[model]}."
    return Table(title, rows.rename(columns={"label": "mask_set"}), cells, notes)
