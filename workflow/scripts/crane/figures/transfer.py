"""The paper's Figure 6: result frames in, a matplotlib Figure out."""

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from crane.figures.style import BLACK, GREY, Style, looks
from crane.names import ORIGINAL
from crane.results.frames import score_rows
from crane.results.labels import Labels


def transfer(scores: pd.DataFrame, labels: Labels, *, suite: str, style: Style | None = None) -> Figure:
    """Figure 6: each benchmark's score when its own language is masked, from model to model.

    One panel per benchmark, the models in the order of `labels.models`; the unmasked score is the dashed
    line. A mask of all neurons, whose scores would leave no room for the others, is not shown beside others. Bars are
    95% intervals over questions, for several seeds the smallest to the largest seed.

    Raises:
        ResultsError: the results lack a row, see `crane.results.frames.score_rows`.
    """
    style = style or Style()
    benchmarks = labels.benchmarks_of(suite)
    rows = score_rows(scores, labels, list(labels.models), suite)
    every = set(rows.loc[rows["method"] == "all", "label"])
    shown = [label for label in labels.mask_sets if label not in every] or list(labels.mask_sets)
    places = np.arange(len(labels.models))
    count = len(shown)
    shifts = (np.arange(count) - (count - 1) / 2) * min(0.05, 0.3 / count)
    look = looks(labels, rows)
    seeds = rows.groupby("label")["seeds"].max()
    columns = style.across(min(3, len(benchmarks)), 2.2)
    lines = math.ceil(len(benchmarks) / columns)

    with style.applied():
        figure = Figure(figsize=(style.width, 2.15 * lines + 0.5), layout="constrained")
        panels = figure.subplots(lines, columns, squeeze=False).flat
        for axes, benchmark in zip(panels, benchmarks, strict=False):
            language = labels.benchmarks[benchmark]["language"]
            here = rows[rows["benchmark"] == benchmark]
            unmasked = here[here["label"] == ORIGINAL]
            axes.fill_between(places, unmasked["low"], unmasked["high"], color=GREY, alpha=0.2, lw=0)
            axes.plot(places, unmasked["score"], color=BLACK, ls="--", lw=1, label="Original")
            targeted = here[here["mask_language"] == language]
            for shift, label in zip(shifts, shown, strict=True):
                one = targeted[targeted["label"] == label]
                colour, marker = look[label]
                name = labels.name(label, seeds[label])
                axes.plot(places + shift, one["score"], color=colour, marker=marker, ms=3.5, lw=1, label=name)
                axes.vlines(places + shift, one["low"], one["high"], color=colour, lw=0.8)
            size = f"{unmasked['n'].iloc[0]:,.0f}"
            label = labels.benchmarks[benchmark]["label"]
            axes.set_title(f"{label}, n = {size}\n{labels.languages[language]} masked")
            axes.set_xticks(places, labels.models.values())
            axes.set_xlim(-0.35, len(places) - 0.65)
        for axes in list(panels):
            axes.remove()
        first = figure.axes[0]
        figure.supylabel(labels.measure_of(suite).capitalize(), fontsize=style.font_size)
        handles, names = first.get_legend_handles_labels()
        figure.legend(
            handles,
            names,
            loc="outside lower center",
            ncols=style.legend_columns(names, 4),
            title=style.wrapped(labels.judge_line(suite).strip()),
        )
    return figure
