"""Figure of the published numbers beside a run's own."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from crane.figures.style import BLACK, COLOURS, Style
from crane.names import NO_MASK
from crane.results.labels import Labels
from crane.results.published import BENCHMARKS, LANGSPEC_F1, beside, comparison, printed


def published_figure(
    scores: pd.DataFrame,
    langspec_f1: pd.DataFrame,
    paper_scores: pd.DataFrame,
    paper_f1: pd.DataFrame,
    labels: Labels,
    *,
    published: Mapping[str, Any],
    model: str,
    suite: str,
    style: Style | None = None,
) -> Figure:
    """One panel per measure, one line per mask: the published number, and the run's with its interval.

    Args:
        scores: the run's.
        langspec_f1: the run's.
        paper_scores: the paper's, as of `crane.results.published.printed`.
        paper_f1: the paper's.
        labels: what the run calls things.
        published: what of the run stands for what of the paper, as of `crane.results.published.beside`.
        model: of the run.
        suite: of the run.
        style: look.
    """
    style = style or Style()
    rows = beside(
        printed(paper_scores, paper_f1), scores, langspec_f1, labels, published, model=model, suite=suite
    )
    sizes = scores.groupby("benchmark")["n"].first()
    masks = list(rows[["label", "mask_language"]].drop_duplicates().itertuples(index=False, name=None))
    place = {mask: height for height, mask in enumerate(masks)}
    measures = rows.drop_duplicates("measure")[["measure", "benchmark"]].itertuples(index=False, name=None)
    measures = sorted(measures, key=lambda one: one[0] == LANGSPEC_F1)
    seeds = rows.groupby("label")["seeds"].max()
    with style.applied():
        columns = style.across(len(measures), 1.6)
        lines = math.ceil(len(measures) / columns)
        above = 0.75 if style.narrow else 0.6
        figure = Figure(
            figsize=(style.width, lines * (0.19 * len(masks) + above) + 0.9), layout="constrained"
        )
        grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
        panels = list(grid.flat)
        for axes in panels[len(measures) :]:
            axes.remove()
        for axes, (measure, benchmark) in zip(panels, measures, strict=False):
            here = rows[rows["measure"] == measure]
            heights = np.array(
                [place[mask] for mask in zip(here["label"], here["mask_language"], strict=True)]
            )
            axes.hlines(heights, here["low"], here["high"], color=COLOURS[0], lw=1.2)
            axes.plot(here["rerun"], heights, "o", color=COLOURS[0], ms=3.5, label="this run, 95% interval")
            within = here["inside"].eq(True).astype(bool)
            for chosen, face, text in (
                (within, COLOURS[1], "paper, inside the interval"),
                (~within, "white", "paper, outside"),
            ):
                axes.plot(
                    here["paper"][chosen],
                    heights[chosen.to_numpy()],
                    "D",
                    color=COLOURS[1],
                    mfc=face,
                    ms=4,
                    label=text,
                )
            for value, height in zip(here["paper"][here["erratum"]], heights[here["erratum"]], strict=True):
                axes.annotate("§", (value, height), (4, 0), textcoords="offset points", va="center", color=BLACK,
                              fontsize=style.small)  # fmt: skip
            axes.margins(x=0.08)  # before a limit is set, after which it has no effect
            if measure == LANGSPEC_F1:
                axes.set_title(LANGSPEC_F1)
                axes.set_xlim(left=min(0, axes.get_xlim()[0]))
            else:
                size = f"n = {sizes[benchmark]:,.0f}"
                between = "\n" if style.narrow else ", "
                title = f"{labels.benchmarks[benchmark]['label']}{between}{size}"
                axes.set_title(f"{title}\npaper: {BENCHMARKS[measure]}", fontsize=style.small)
                axes.set_xlabel(
                    labels.measure_of(labels.benchmarks[benchmark]["suite"]), fontsize=style.small
                )
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="y", color="#EEEEEE", lw=0.6)
        names = [
            labels.name(label, seeds[label])
            + ("" if code == NO_MASK else f", {labels.languages.get(code, code)}")
            for label, code in masks
        ]
        panels[0].set_yticks(range(len(masks)), names)
        panels[0].set_ylim(len(masks) - 0.5, -0.5)
        handles, texts = panels[0].get_legend_handles_labels()
        figure.legend(
            handles,
            texts,
            loc="outside lower center",
            ncols=style.legend_columns(texts, 3),
            title=style.wrapped(comparison(labels, published, model)),
        )
    return figure
