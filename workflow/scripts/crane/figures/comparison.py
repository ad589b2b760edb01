"""The figure of all methods: how much more a mask costs its own language than any other, along the budgets."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, SymmetricalLogLocator

from crane.figures.style import BLACK, GREY, Style, look_of
from crane.results.comparison import comparison_rows
from crane.results.labels import Labels
from crane.results.selectivity import Contrasts, part_name, part_unit
from crane.scores.mask_sets import Groups, Summaries

UNIT = 1.0
"""D below which its axis is linear; where it goes further, it does so logarithmically."""


def methods_figure(
    contrasts: Contrasts,
    summaries: Summaries,
    groups: Groups,
    labels: Labels,
    *,
    model: str,
    suite: str,
    methods: Mapping[str, Sequence[str]],
    style: Style | None = None,
) -> Figure:
    """Draw D against the number of masked neurons, a panel per language and a line per method.

    Bars are 95% intervals; the grey band is the range of the seeds of random masks.

    Args:
        contrasts: as all others, of `crane.results.comparison.comparison_rows`.
        summaries: of the mask sets.
        groups: of the mask sets.
        labels: of the study.
        model: on which the masks are compared.
        suite: suite of benchmarks, `open` or `perplexity`.
        methods: name -> mask sets.
        style: sizes.

    Raises:
        ResultsError: no results of a mask set.
    """
    style = style or Style()
    rows = comparison_rows(contrasts, summaries, groups, labels, model=model, suite=suite, methods=methods)
    method_of = {facts["group"]: facts["method"] for facts in groups.values()}
    random = set(rows["name"][rows["label"].map(method_of) == "random"])
    drawn = {
        name: look_of(place) for place, name in enumerate(name for name in methods if name not in random)
    }
    columns = style.across(2, 2.6)
    lines = math.ceil(len(labels.languages) / columns)
    legend_columns = style.legend_columns(list(methods), 4)
    note = style.wrapped(
        f"Neurons of the mask, of {labels.models[model]}. Bars: 95% intervals; grey: random masks, mean and range of "
        "the seeds"
    )
    with style.applied():
        below = 0.2 * math.ceil(len(methods) / legend_columns) + style.height(note) + 0.3
        figure = Figure(
            figsize=(style.width, 0.72 * style.width / columns * lines + below), layout="constrained"
        )
        panels = list(figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).flat)
        for axes, code in zip(panels, labels.languages, strict=False):
            here = rows[rows["mask_language"] == code]
            _panel(axes, here, drawn, random)
            axes.set_title(f"{labels.languages[code]} masked")
        _scale(panels[0], rows)
        for axes in panels[len(labels.languages) :]:
            axes.remove()
        figure.supxlabel(note, fontsize=style.font_size)
        figure.supylabel(
            f"D, {part_name(labels, suite)} ({part_unit(labels, suite)})", fontsize=style.font_size
        )
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=legend_columns)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, drawn: Mapping[str, tuple[str, str]], random: set[str]) -> None:
    axes.axhline(0, color=BLACK, lw=0.6)
    for name, of_method in rows.groupby("name", sort=False):
        line = of_method.sort_values("neurons")
        where, d = line["neurons"], line["d"]
        if name in random:
            axes.plot(where, d, "_", color=GREY, ls="-", lw=1, label=name, zorder=1)
            axes.vlines(where, line["d_low"], line["d_high"], color=GREY, lw=4, alpha=0.3)
            axes.fill_between(where, line["d_low"], line["d_high"], color=GREY, alpha=0.2, lw=0)
            continue
        colour, marker = drawn[str(name)]
        axes.plot(where, d, color=colour, marker=marker, ms=3.5, lw=1, label=name)
        axes.vlines(where, line["d_low"], line["d_high"], color=colour, lw=0.8)


def _scale(axes: Axes, rows: pd.DataFrame) -> None:
    """Make an axis logarithmic where its values differ by orders of magnitude."""
    if rows["d"].abs().max() > 2 * UNIT:
        axes.set_yscale("symlog", linthresh=UNIT)
        axes.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=UNIT, subs=[1, 3]))
        axes.yaxis.set_major_formatter("{x:g}")
    if rows["neurons"].max() > 3 * rows["neurons"].min():
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_locator(NullLocator())
