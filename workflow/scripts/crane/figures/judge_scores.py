"""Judge scores per mask and language: result frame in, a matplotlib Figure out."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crane.figures.style import BLACK, GREY, Style, looks, name_block
from crane.judging.scale import HIGHEST, LOWEST
from crane.names import OPEN_SUITE, ORIGINAL
from crane.results.cells import percent
from crane.results.frames import score_rows
from crane.results.labels import Labels

PARTLY = 0.95
"""Share of answers in the language asked in below which the share is written beside the score."""


def judge_scores(scores: pd.DataFrame, labels: Labels, *, model: str, style: Style | None = None) -> Figure:
    """Mean judge score of every mask (rows), one panel per language asked in.

    Bars are 95% intervals over questions, for several seeds the smallest to the largest seed; dashed, with its
    interval shaded, the unmasked model. Filled: the language asked in is the masked one. A percentage beside a
    point is the share of answers in the language asked in, where it is below `PARTLY`.

    Raises:
        ResultsError: the results lack a row, see `crane.results.frames.score_rows`.
    """
    style = style or Style()
    benchmarks = labels.benchmarks_of(OPEN_SUITE)
    rows = score_rows(scores, labels, [model], OPEN_SUITE)
    masked = rows[rows["label"] != ORIGINAL]
    order = list(dict.fromkeys(zip(masked["label"], masked["mask_language"], strict=True)))
    look = looks(labels, rows)
    seeds = rows.groupby("label")["seeds"].max()
    heights = {mask: place + place // len(labels.languages) * style.gap for place, mask in enumerate(order)}
    shown = {label: labels.name(label, seeds[label]) for label in labels.mask_sets}
    firsts = {mask[0]: heights[mask] for mask in reversed(order)}
    names = [
        f"{shown[label]}  {code}" if heights[label, code] == firsts[label] and not style.narrow else code
        for label, code in order
    ]

    with style.applied():
        figure = Figure(figsize=(style.width, 0.15 * max(heights.values()) + 1.1), layout="constrained")
        panels = figure.subplots(1, len(benchmarks), sharex=True, sharey=True, squeeze=False)[0]
        for axes, benchmark in zip(panels, benchmarks, strict=True):
            here = rows[rows["benchmark"] == benchmark]
            language = labels.benchmarks[benchmark]["language"]
            unmasked = here[here["label"] == ORIGINAL].iloc[0]
            axes.axvspan(unmasked["low"], unmasked["high"], color=GREY, alpha=0.2, lw=0)
            axes.axvline(unmasked["score"], color=BLACK, ls="--", lw=1)
            for row in here[here["label"] != ORIGINAL].to_dict("records"):
                height = heights[row["label"], row["mask_language"]]
                colour, marker = look[row["label"]]
                axes.hlines(height, row["low"], row["high"], color=colour, lw=1)
                face = colour if row["mask_language"] == language else "white"
                axes.plot(row["score"], height, marker, color=colour, mfc=face, ms=3.8, clip_on=False)
                if row.get("in_language", np.nan) < PARTLY:
                    _annotate(axes, row, height, style)
            asked = language if style.narrow else f"{labels.languages[language]} questions"
            axes.set_title(f"{asked}, n = {unmasked['n']:,.0f}")
        panels[0].set_yticks(list(heights.values()), names)
        for label, first in firsts.items() if style.narrow else ():
            name_block(panels[0], shown[label], first, style)
        panels[0].set_ylim(max(heights.values()) + 0.6, -style.gap)
        panels[0].set_xlim(LOWEST, HIGHEST)
        panels[0].set_xticks((LOWEST, 5, HIGHEST) if style.narrow else range(LOWEST, HIGHEST + 1))
        figure.supxlabel(style.wrapped(f"Mean score, 1-10, by {labels.judge}"), fontsize=style.font_size)
    return figure


def _annotate(axes: Axes, row: dict[Any, Any], height: float, style: Style) -> None:
    """Write the share of answers in the language asked in on the side that has room."""
    right = row["score"] < (LOWEST + HIGHEST) / 2
    bounds = [row["score"], row["high"] if right else row["low"]]
    axes.annotate(
        percent(row["in_language"]),
        (np.nanmax(bounds) if right else np.nanmin(bounds), height),
        (5 if right else -5, 0),
        textcoords="offset points",
        ha="left" if right else "right",
        va="center",
        fontsize=style.small - 1,
    )
