"""The figure of steering: the languages in which a steered model answers."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from crane.figures.style import BLACK, COLOURS, Style
from crane.results.labels import Labels
from crane.results.steering import NAMES, shares_of, steering_rows
from crane.scores.steering import KINDS

FILLS = dict(zip(KINDS, [COLOURS[0], COLOURS[4], COLOURS[3], "#DDDDDD"], strict=True))
PANEL = 2.2
"""Inches of a panel at least."""


def steering_figure(
    steering: pd.DataFrame, labels: Labels, *, how: str, style: Style | None = None
) -> Figure:
    """Draw the shares of the answers' languages, a panel per pair of languages and a bar per mask set.

    Error bars are those of the target's share: 95% intervals, for several seeds the smallest to the largest seed.

    Args:
        steering: of `crane.scores.steering.summarise`, with `label` and `method`.
        labels: of the study.
        how: what is done to the neurons, in words.
        style: sizes.

    Raises:
        ResultsError: see `crane.results.steering.steering_rows`.
    """
    style = style or Style()
    rows = steering_rows(steering, labels)
    pairs = list(dict.fromkeys(zip(rows["asked"], rows["target"], strict=True)))
    sets = list(dict.fromkeys(zip(rows["label"], rows["seeds"], strict=True)))
    names = [labels.name(label, seeds) for label, seeds in sets]
    columns = min(style.across(3, PANEL), len(pairs))
    lines = math.ceil(len(pairs) / columns)
    note = style.wrapped(f"Languages of all answers, undecided ones among them; {how}")
    with style.applied():
        named = style.narrow or style.length(max(names, key=len)) > style.width / 3
        each = 0.22 * len(names) * (2 if named else 1) + 0.5
        figure = Figure(figsize=(style.width, lines * each + style.height(note) + 0.5), layout="constrained")
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for axes in panels.flat[len(pairs) :]:
            axes.remove()
        for place, (axes, (asked, target)) in enumerate(zip(panels.flat, pairs, strict=False)):
            here = rows[(rows["asked"] == asked) & (rows["target"] == target)].reset_index(drop=True)
            _panel(axes, here)
            axes.set_title(f"{asked} → {target}, n = {here['n'].iloc[0]:,.0f}", loc="left")
            if named:
                _name_bars(axes, names, style)
            elif place % columns == 0:
                axes.set_yticks(range(len(names)), names)
            axes.tick_params(axis="x", labelbottom=place + columns >= len(pairs))
        panels[0, 0].set_ylim(len(names) - 0.4, -0.9 if named else -0.6)
        panels[0, 0].set_xlim(0, 1)
        panels[0, 0].set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        patches = [Patch(facecolor=FILLS[kind], label=NAMES[kind]) for kind in KINDS]
        legend = style.legend_columns(list(NAMES.values()), len(KINDS))
        figure.legend(handles=patches, loc="outside lower center", ncols=legend, title=note)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    for height, row in rows.iterrows():
        left = 0.0
        for kind, share in zip(KINDS, shares_of(row), strict=True):
            axes.barh(height, share, 0.5, left=left, color=FILLS[kind], lw=0)
            left += share
        axes.hlines(height, row["target_low"], row["target_high"], color=BLACK, lw=1)
    axes.tick_params(axis="y", length=0)


def _name_bars(axes: Axes, names: list[str], style: Style) -> None:
    """Write the names above the bars, where there is no room beside them."""
    axes.set_yticks([])
    for place, name in enumerate(names):
        axes.text(0, place - 0.3, name, va="bottom", fontsize=style.small)
