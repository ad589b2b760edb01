"""Figures of stability: split halves and single samples, overlap of the masks, distribution over layers."""

import math

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from crane.results import Labels
from crane.stability_tables import ordered, overlap_rows
from crane.style import BLACK, GREY, Style, looks

SEQUENTIAL = "Blues"
MOST_NUMBERS = 24
"""Masks up to which the cells of the overlap have room for their number."""


def stability(
    measured: pd.DataFrame, labels: Labels, methods: pd.Series, shards: int, style: Style | None = None
) -> Figure:
    """Split-half Jaccard of every mask, beside the share of its neurons owed to one sample.

    Bars of random sets stand for chance: a black stroke on the left; on the right the share among all neurons.
    `methods` maps mask sets to their methods; `shards` is the number per language, with one there are no halves.

    Raises:
        ResultsError: a mask set of the study is missing.
    """
    style = style or Style()
    rows = ordered(measured, labels)
    look = looks(labels, pd.DataFrame({"label": methods.index, "method": methods.to_numpy()}))
    colours = [look[label][0] for label in rows["label"]]
    places = np.arange(len(rows)) + np.arange(len(rows)) // len(labels.languages) * 0.6
    with style.applied():
        figure = Figure(figsize=(style.width, 0.15 * places[-1] + 1.3), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        columns = {left: ("split_half", "by_chance"), right: ("outlier_share", "outlier_share_all")}
        for axes, (value, against) in columns.items():
            axes.barh(places, rows[value].fillna(0), height=0.8, color=colours, lw=0)
            axes.vlines(rows[against], places - 0.45, places + 0.45, color=BLACK, lw=1.2)
            for place, number, stroke in zip(places, rows[value], rows[against], strict=True):
                there = pd.notna(number)
                text = "none" if not there else f"{number:.2f}" if axes is left else f"{number:.0%}"
                axes.annotate(
                    text,
                    (np.nanmax([number, stroke, 0]), place),
                    (4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=style.small - 0.5,
                    color=BLACK if there else GREY,
                )
        left.set(xlim=(0, 1.1), xlabel="Split-half\nJaccard index")
        if shards < 2:
            left.set_xlabel("Split-half Jaccard:\none shard, no halves")
        right.set(
            xlim=(0, max(0.05, 1.2 * float(rows[["outlier_share", "outlier_share_all"]].max().max()))),
            xlabel="Neurons owed\nto one sample",
        )
        right.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        figure.supxlabel(
            style.wrapped(
                "Stroke on the left: two random sets of these counts. Owed: one sample makes up over half of the "
                "fourth moment; stroke: the share among all neurons."
            ),
            fontsize=style.font_size,
        )
        codes = rows["mask_language"]
        names = map(labels.name, rows["label"], rows["seeds"])
        texts = [f"{name}, {code}" for name, code in zip(names, codes, strict=True)]
        sizes = rows["neurons"].map("{:,.0f}".format)
        left.set_yticks(places, [f"{text} (n = {size})" for text, size in zip(texts, sizes, strict=True)])
        left.invert_yaxis()
        left.tick_params(axis="y", length=0)
        right.tick_params(axis="y", length=0, labelleft=False)
    return figure


def overlap(measured: pd.DataFrame, labels: Labels, style: Style | None = None) -> Figure:
    """Jaccard index of every pair of masks.

    Raises:
        ResultsError: a mask set of the study is missing.
    """
    style = style or Style()
    values = overlap_rows(measured, labels)["jaccard"].to_numpy()
    masks = [(label, code) for label in labels.mask_sets for code in labels.languages]
    matrix = values.reshape(len(masks), len(masks))
    apart = np.where(np.eye(len(masks), dtype=bool), np.nan, matrix)
    with style.applied():
        figure = Figure(figsize=(style.width, 0.82 * style.width), layout="constrained")
        axes = figure.subplots()
        norm = Normalize(0, max(float(np.nanmax(apart)), 0.01))
        image = axes.imshow(apart, cmap=SEQUENTIAL, norm=norm)
        if len(masks) <= MOST_NUMBERS and not style.narrow:
            for row, column in np.argwhere(np.isfinite(apart)):
                dark = norm(apart[row, column]) > 0.5
                axes.text(
                    column,
                    row,
                    f"{apart[row, column]:.2f}".removeprefix("0"),
                    ha="center",
                    va="center",
                    fontsize=style.small - 1,
                    color="white" if dark else BLACK,
                )
        step = len(labels.languages)
        for edge in np.arange(step, len(masks), step) - 0.5:
            axes.axhline(edge, color="white", lw=2)
            axes.axvline(edge, color="white", lw=2)
        codes = [code for _, code in masks]
        axes.set_xticks(range(len(masks)), codes)
        axes.set_yticks(range(len(masks)), codes)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        for place, label in enumerate(labels.mask_sets):
            middle = (place + 0.5) * step - 0.5
            name = labels.name(label).replace(" (", "\n(")
            axes.annotate(name, (0, middle), (-2.6 * style.small, 0), xycoords=axes.get_yaxis_transform(),
                          textcoords="offset points", ha="right", va="center", fontsize=style.small,
                          annotation_clip=False)  # fmt: skip
            axes.annotate(name, (middle, 0), (0, -2.2 * style.small), xycoords=axes.get_xaxis_transform(),
                          textcoords="offset points", ha="right" if style.narrow else "center", va="top",
                          rotation=45 if style.narrow else 0, rotation_mode="anchor", fontsize=style.small,
                          annotation_clip=False)  # fmt: skip
        label = "Jaccard index:\nneurons in both masks / in either"
        figure.colorbar(image, ax=axes, shrink=0.7, label=label)
    return figure


def mask_layers(
    counts: pd.DataFrame, labels: Labels, methods: pd.Series, style: Style | None = None
) -> Figure:
    """Where in the model each mask lies: the share of its neurons in each layer, one panel per language.

    `counts` is the tidy table of `crane.tables.mask_counts`, layers counted from 0. The dashed line is an even
    distribution.
    """
    style = style or Style()
    look = looks(labels, pd.DataFrame({"label": methods.index, "method": methods.to_numpy()}))
    layers = np.sort(counts["layer"].unique())
    with style.applied():
        lines = math.ceil((len(labels.mask_sets) + 1) / style.across(3, 2.2))
        figure = Figure(figsize=(style.width, 2.0 + 0.13 * lines), layout="constrained")
        panels = figure.subplots(1, len(labels.languages), sharex=True, sharey=True, squeeze=False)[0]
        for (code, language), axes in zip(labels.languages.items(), panels, strict=True):
            axes.axhline(1 / len(layers), color=BLACK, lw=0.6, ls="--", label="even")
            for label in labels.mask_sets:
                own = counts[(counts["mask_set"] == label) & (counts["language"] == code)].sort_values(
                    "layer"
                )
                colour, marker = look[label]
                share = own["neurons"] / own["neurons"].sum()
                name = labels.name(label, int(own["seeds"].max()))
                axes.plot(own["layer"], share, color=colour, marker=marker, ms=3.5, lw=1, label=name)
            axes.set_title(language)
            axes.set_xlabel("Layer")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        panels[0].set_ylim(bottom=0)
        panels[0].set_ylabel("Share of neurons")
        handles, names = panels[0].get_legend_handles_labels()
        sizes = counts.groupby(["mask_set", "language"])["neurons"].sum()
        of_mask = [
            " / ".join(f"{sizes[label, code]:,.0f}" for code in labels.languages)
            for label in labels.mask_sets
        ]
        names = [names[0], *(f"{name}: {size}" for name, size in zip(names[1:], of_mask, strict=True))]
        title = f"Neurons of each mask: {' / '.join(labels.languages)}"
        figure.legend(handles, names, loc="outside lower center", ncols=style.across(3, 2.2), title=title)
    return figure
