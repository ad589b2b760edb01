"""The figure of the calibration: rank correlations with measured effects, beside what the measurement allows."""

import math
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from crane.figures.style import BLACK, Style, look_of, name_block
from crane.results.calibration import SHOWN, calibration_rows, kind_name, kinds_of, names_of
from crane.results.labels import Labels

PITCH = 0.085
"""Inches between two languages of one criterion."""
LONGEST = 34
"""Characters of a criterion's name in a page's margin."""


def calibration_figure(
    calibration: pd.DataFrame, labels: Labels, *, measured: Mapping[str, Any], style: Style | None = None
) -> Figure:
    """Draw the rank correlation of every criterion with the measured effects, one row per criterion and language.

    A line of panels for single neurons and one for groups; panels for the language's own loss and for its difference
    to the largest other one. Bars are 95% intervals; dotted lines are the ceilings, in the colour of their language.

    Args:
        calibration: of `crane.scores.calibration.calibrate`, with the mask sets of each criterion.
        labels: of the study.
        measured: the section `calibration` of the configuration.
        style: sizes.

    Raises:
        ResultsError: no results, or of a mask set or language that the study does not have.
    """
    style = style or Style()
    rows = calibration_rows(calibration, labels)
    kinds, names, codes = kinds_of(rows), names_of(rows), list(labels.languages)
    gap = 1 + (2.6 if style.narrow else 0.8)
    note = style.wrapped(
        "Spearman's rank correlation with the measured change of the loss under zeroing. Dotted: ceiling, the square "
        "root of the reliability of the measurement"
    )
    looks = {code: look_of(place) for place, code in enumerate(codes)}
    with style.applied():
        handles = [
            Line2D([], [], color=colour, marker=marker, ms=3.5, lw=1, label=labels.languages[code])
            for code, (colour, marker) in looks.items()
        ]
        columns = style.legend_columns([str(handle.get_label()) for handle in handles], 6)
        each = len(names) * (len(codes) + gap) * PITCH + 0.55
        total = each * len(kinds) + 0.2 * math.ceil(len(codes) / columns) + style.height(note) + 0.4
        figure = Figure(figsize=(style.width, total), layout="constrained")
        panels = figure.subplots(len(kinds), len(SHOWN), sharey="row", sharex="row", squeeze=False)
        for line, kind in zip(panels, kinds, strict=True):
            for axes, (measure, title) in zip(line, SHOWN.items(), strict=True):
                here = rows[(rows["kind"] == kind) & (rows["measure"] == measure)]
                _panel(axes, here, names, looks, gap)
                axes.tick_params(labelleft=axes is line[0])
                axes.set_title(f"{kind_name(kind, measured)}\n{title}", loc="left")
            _name_rows(line[0], names, len(codes), gap, style)
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, title=note)
    return figure


def _panel(
    axes: Axes, rows: pd.DataFrame, names: list[str], looks: dict[str, tuple[str, str]], gap: float
) -> None:
    step, codes = len(looks) + gap, list(looks)
    axes.axvline(0, color=BLACK, lw=0.6)
    for code, ceiling in rows.drop_duplicates("language")[["language", "ceiling"]].itertuples(index=False):
        if pd.notna(ceiling):
            axes.axvline(ceiling, color=looks[code][0], lw=0.9, ls=":")
    for row in rows.to_dict("records"):
        height = names.index(row["name"]) * step + codes.index(row["language"])
        colour, marker = looks[row["language"]]
        axes.hlines(height, row["low"], row["high"], color=colour, lw=1)
        axes.plot(row["spearman"], height, marker, color=colour, ms=3, mew=0.8)
    for place in range(1, len(names)):
        axes.axhline(place * step - (1 + gap) / 2, color="#DDDDDD", lw=0.6)


def _short(name: str) -> str:
    """Return the names of mask sets with one order; of many only the first and their number."""
    first, *more = re.split(r"; (?![^(]*\))", name)
    return name if len(name) <= LONGEST or not more else f"{first} and {len(more)} more"


def _name_rows(axes: Axes, names: list[str], languages: int, gap: float, style: Style) -> None:
    step, middle = languages + gap, (languages - 1) / 2
    shown = [_short(name) for name in names]
    axes.set_yticks(
        [place * step + middle for place in range(len(names))], [""] * len(names) if style.narrow else shown
    )
    axes.tick_params(axis="y", length=0)
    axes.set_ylim((len(names) - 1) * step + languages - 1 + (1 + gap) / 2, -(1 + gap) / 2)
    for place, name in enumerate(shown) if style.narrow else ():
        name_block(axes, name, place * step, style)
