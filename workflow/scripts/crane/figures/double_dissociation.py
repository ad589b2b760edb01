"""Double dissociation of languages, all suites and perplexity: contrasts in, a matplotlib Figure out."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from crane.figures.style import BLACK, Style, look_of, name_block
from crane.results.labels import Labels
from crane.results.selectivity import (
    LEVEL,
    Contrasts,
    dissociation_rows,
    pairs_of,
    part_name,
    part_unit,
    parts_of,
)

PITCH = 0.085
"""Inches between two pairs of one mask set."""


def double_dissociation(contrasts: Contrasts, labels: Labels, *, style: Style | None = None) -> Figure:
    """By how much each of two languages' masks hurts its own language more than the other one; the smaller of both.

    One panel per suite and model: models side by side, or suites if there is one model only; in a narrow figure all one
    below the other. A row per mask set and pair.
    Right of 0 both masks hurt their own language more. Bars are 95% intervals, for several seeds the smallest to the
    largest seed. Filled points have a p, adjusted over mask sets and pairs, below `LEVEL`.

    Raises:
        ResultsError: no results.
    """
    style = style or Style()
    rows = dissociation_rows(contrasts, labels)
    pairs = pairs_of(labels)
    places = [
        (suite, model) for suite in parts_of(rows, labels) for model in labels.models
        if ((rows["suite"] == suite) & (rows["model"] == model)).any()
    ]  # fmt: skip
    lines = _lines(places, 1 if style.narrow else 2, of_one_suite=len(labels.models) > 1)
    across = max(map(len, lines))
    gap = 1 + (2.4 if style.narrow else 0.6)  # in pairs: the space between two mask sets
    here = {place: rows[(rows["suite"] == place[0]) & (rows["model"] == place[1])] for place in places}
    shown = [
        [label for label in labels.mask_sets if any((here[place]["label"] == label).any() for place in line)]
        for line in lines
    ]
    note = style.wrapped(
        "Smaller of the two differences: loss of the masked language minus loss of the other one. Right of 0: a double "
        f"dissociation; filled: p (Holm) < {LEVEL}"
    )

    with style.applied():
        heights = [len(sets) * (len(pairs) + gap) * PITCH for sets in shown]
        handles = [
            Line2D([], [], color=colour, marker=marker, ms=3.5, lw=1, label=f"{first} – {second}")
            for (first, second), (colour, marker) in zip(pairs, map(look_of, range(len(pairs))), strict=True)
        ]
        columns = style.legend_columns([str(handle.get_label()) for handle in handles], 6)
        legend = 0.2 * math.ceil(len(pairs) / columns) + style.height(note)
        total = sum(heights) + 0.55 * len(lines) + legend + 0.3
        figure = Figure(figsize=(style.width, total), layout="constrained")
        panels = figure.subplots(len(lines), across, sharey="row", squeeze=False, height_ratios=heights)
        for axes_of_line, line, sets in zip(panels, lines, shown, strict=True):
            for place, axes in enumerate(axes_of_line):
                if place >= len(line):
                    axes.remove()
                    continue
                suite, model = line[place]
                _panel(axes, here[suite, model], sets, labels, gap, style)
                axes.tick_params(labelleft=place == 0)
                title = [
                    part_name(labels, suite),
                    *([labels.models[model]] if len(labels.models) > 1 else []),
                ]
                axes.set_title(", ".join(title), loc="left")
                axes.set_xlabel(part_unit(labels, suite).capitalize())
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, title=note)
    return figure


def _lines(places: list[tuple[str, str]], across: int, *, of_one_suite: bool) -> list[list[tuple[str, str]]]:
    """Return the panels (suite, model) of each line, `across` at the most."""
    lines: list[list[tuple[str, str]]] = []
    for place in places:
        if not lines or len(lines[-1]) == across or (of_one_suite and lines[-1][0][0] != place[0]):
            lines.append([])
        lines[-1].append(place)
    return lines


def _panel(
    axes: Axes, rows: pd.DataFrame, shown: list[str], labels: Labels, gap: float, style: Style
) -> None:
    """Draw one suite on one model; `shown` are the mask sets from the top, with room for those without results."""
    pairs = pairs_of(labels)
    looks = {pair: look_of(place) for place, pair in enumerate(pairs)}
    step = len(pairs) + gap
    firsts = {label: place * step for place, label in enumerate(shown)}
    axes.axvline(0, color=BLACK, lw=0.6)
    for row in rows.to_dict("records"):
        pair = (row["first"], row["second"])
        height = firsts[row["label"]] + pairs.index(pair)
        colour, marker = looks[pair]
        face = colour if row["p_holm"] < LEVEL else "white"
        axes.hlines(height, row["difference_low"], row["difference_high"], color=colour, lw=1)
        axes.plot(row["difference"], height, marker, color=colour, mfc=face, ms=3.5, mew=0.8)
    for label in shown[1:]:
        axes.axhline(firsts[label] - (1 + gap) / 2, color="#DDDDDD", lw=0.6)
    seeds = rows.groupby("label")["seeds"].max()
    names = [labels.name(label, seeds.get(label, 1)) for label in shown]
    middle = (len(pairs) - 1) / 2
    axes.set_yticks(
        [first + middle for first in firsts.values()], [""] * len(shown) if style.narrow else names
    )
    axes.tick_params(axis="y", length=0)
    axes.set_ylim((len(shown) - 1) * step + len(pairs) - 1 + (1 + gap) / 2, -(1 + gap) / 2)
    for label, name in zip(shown, names, strict=True) if style.narrow else ():
        name_block(axes, name, firsts[label], style)
