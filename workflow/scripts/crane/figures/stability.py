"""Figures of stability: split halves and single samples, overlap of the masks, distribution over layers."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from crane.figures.style import BLACK, GREY, Style, looks, name_block
from crane.results.labels import Labels
from crane.results.mask_layers import layer_counts
from crane.results.stability import overlap_rows, stability_rows

SEQUENTIAL = "Blues"
MOST_NUMBERS = 24
"""Masks up to which the cells of the overlap have room for their number."""
MOST_LEVEL = 30
"""Masks up to which their languages have room beside each other below the overlap; more are turned."""


def _methods(methods: Mapping[str, str]) -> pd.DataFrame:
    """Return the methods of the mask sets as `looks` needs them."""
    return pd.DataFrame({"label": methods.keys(), "method": methods.values()})


def stability_figure(
    stability: pd.DataFrame,
    labels: Labels,
    *,
    methods: Mapping[str, str],
    shards: int,
    style: Style | None = None,
) -> Figure:
    """Split-half Jaccard of every mask, beside the share of its neurons owed to one sample.

    Bars of random sets stand for chance: a black stroke on the left; on the right the share among all neurons.
    `methods` maps mask sets to their methods; `shards` is the number per language, with one there are no halves.

    Raises:
        ResultsError: a mask set of the study is missing.
    """
    style = style or Style()
    rows = stability_rows(stability, labels)
    look = looks(labels, _methods(methods))
    colours = [look[label][0] for label in rows["label"]]
    places = np.arange(len(rows)) + np.arange(len(rows)) // len(labels.languages) * style.gap
    with style.applied():
        figure = Figure(figsize=(style.width, 0.15 * places[-1] + 1.3), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        columns = {left: ("split_half", "by_chance"), right: ("outlier_share", "outlier_share_all")}
        for axes, (value, against) in columns.items():
            axes.barh(places, rows[value].fillna(0), height=0.8, color=colours, lw=0)
            axes.vlines(rows[against], places - 0.45, places + 0.45, color=BLACK, lw=1.2)
            for place, number, stroke in zip(places, rows[value], rows[against], strict=True):
                is_known = pd.notna(number)
                text = "none" if not is_known else f"{number:.2f}" if axes is left else f"{number:.0%}"
                axes.annotate(
                    text,
                    (np.nanmax([number, stroke, 0]), place),
                    (4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=style.small - 0.5,
                    color=BLACK if is_known else GREY,
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
        names = list(map(labels.name, rows["label"], rows["seeds"]))
        masks = rows["mask_language"] + rows["neurons"].map(" (n = {:,.0f})".format)
        left.set_yticks(
            places, masks if style.narrow else [f"{n}, {m}" for n, m in zip(names, masks, strict=True)]
        )
        for row in range(0, len(rows), len(labels.languages)) if style.narrow else ():
            name_block(left, names[row], places[row], style)
        left.set_ylim(places[-1] + 0.6, -style.gap)
        left.tick_params(axis="y", length=0)
        right.tick_params(axis="y", length=0, labelleft=False)
    return figure


def overlap_figure(overlap: pd.DataFrame, labels: Labels, *, style: Style | None = None) -> Figure:
    """Jaccard index of every pair of masks; beside each mask its number of neurons.

    Raises:
        ResultsError: a mask set of the study is missing.
    """
    style = style or Style()
    rows = overlap_rows(overlap, labels)
    masks = [(label, code) for label in labels.mask_sets for code in labels.languages]
    matrix = rows["jaccard"].to_numpy().reshape(len(masks), len(masks))
    sizes = rows.groupby(["label", "mask_language"], sort=False)["neurons"].first()
    apart = np.where(np.eye(len(masks), dtype=bool), np.nan, matrix)
    with style.applied():
        height = style.width * (1.25 if style.narrow else 0.82)
        figure = Figure(figsize=(style.width, height), layout="constrained")
        axes = figure.subplots()
        norm = Normalize(0, max(float(np.nanmax(apart)), 0.01))
        # Not aspect="equal", for which the constrained layout leaves too little room for the names.
        image = axes.imshow(apart, cmap=SEQUENTIAL, norm=norm, aspect="auto")
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
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        _name_masks(axes, labels, sizes, style)
        bar = figure.colorbar(image, ax=axes, location="bottom" if style.narrow else "right", shrink=0.7)
        text = "Jaccard index: neurons in both masks / in either"
        if style.narrow:
            text = f"{text}. Of each mask set: {', '.join(labels.languages)}, their neurons below its name."
            figure.supxlabel(style.wrapped(text), fontsize=style.font_size)
        else:
            bar.set_label(f"{text};\nbeside each language: neurons of its mask")
    return figure


def _name_masks(axes: Axes, labels: Labels, sizes: pd.Series, style: Style) -> None:
    """Write the mask sets' names beside and below the matrix, and each mask's language where there is room."""
    languages = list(labels.languages)
    step, masks = len(languages), range(len(sizes))
    if style.narrow:
        axes.set_xticks([])
        axes.set_yticks([])
        left = below = 0.5
    else:
        turned = 90 if len(masks) > MOST_LEVEL else 0
        axes.set_xticks(masks, languages * len(labels.mask_sets), rotation=turned)
        axes.set_yticks(masks, [f"{code} {size:,.0f}" for (_, code), size in sizes.items()])
        left, below = 3.2 + 0.62 * len(f"{sizes.max():,.0f}"), 2.2
    slanted = style.narrow or len(labels.mask_sets) > 6
    for place, label in enumerate(labels.mask_sets):
        middle = (place + 0.5) * step - 0.5
        name = labels.name(label)
        broken = name.replace(" (", "\n(")
        counts = ", ".join(f"{sizes[label, code]:,.0f}" for code in languages)
        axes.annotate(
            f"{name}\n{counts}" if style.narrow else broken, (0, middle), (-left * style.small, 0), ha="right",
            va="center", xycoords=axes.get_yaxis_transform(), textcoords="offset points", fontsize=style.small,
            annotation_clip=False,
        )  # fmt: skip
        axes.annotate(
            name if style.narrow else broken, (middle, 0), (0, -below * style.small),
            ha="right" if slanted else "center", va="top", rotation=45 if slanted else 0, rotation_mode="anchor",
            xycoords=axes.get_xaxis_transform(), textcoords="offset points", fontsize=style.small,
            annotation_clip=False,
        )  # fmt: skip


def mask_layers(
    masks: Mapping[str, pd.DataFrame],
    labels: Labels,
    *,
    layers: int,
    methods: Mapping[str, str],
    style: Style | None = None,
) -> Figure:
    """Where in the model each mask lies: the share of its neurons in each layer, one panel per language.

    `masks` and `layers` as in `crane.results.mask_layers.layer_counts`; `methods` maps mask sets to their methods. The
    dashed line is an even distribution.
    """
    style = style or Style()
    look = looks(labels, _methods(methods))
    counts = layer_counts(masks, labels, layers)
    with style.applied():
        sizes = counts.groupby(["label", "language"])["neurons"].sum()
        names = {}
        for label in labels.mask_sets:
            size = " / ".join(f"{sizes[label, code]:,.0f}" for code in labels.languages)
            seeds = int(counts.loc[counts["label"] == label, "seeds"].max())
            names[label] = f"{labels.name(label, seeds)}: {size}"
        columns = style.legend_columns(["even", *names.values()], 3)
        lines = math.ceil((len(names) + 1) / columns)
        figure = Figure(figsize=(style.width, 2.3 + 0.13 * lines), layout="constrained")
        panels = figure.subplots(1, len(labels.languages), sharex=True, sharey=True, squeeze=False)[0]
        for (code, language), axes in zip(labels.languages.items(), panels, strict=True):
            axes.axhline(1 / layers, color=BLACK, lw=0.6, ls="--", label="even")
            for label in labels.mask_sets:
                layers_of_set = counts[(counts["label"] == label) & (counts["language"] == code)].sort_values(
                    "layer"
                )
                colour, marker = look[label]
                share = layers_of_set["neurons"] / layers_of_set["neurons"].sum()
                axes.plot(
                    layers_of_set["layer"],
                    share,
                    color=colour,
                    marker=marker,
                    ms=3.5,
                    lw=1,
                    label=names[label],
                )
            axes.set_title(language)
            axes.set_xlabel("Layer")
            room = int(style.width / len(labels.languages) / 0.35) - 1
            axes.xaxis.set_major_locator(MaxNLocator(max(1, min(room, 9)), integer=True))
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        panels[0].set_ylim(bottom=0)
        panels[0].set_ylabel("Share of neurons")
        handles, texts = panels[0].get_legend_handles_labels()
        title = f"Neurons of each mask: {' / '.join(labels.languages)}"
        figure.legend(handles, texts, loc="outside lower center", ncols=columns, title=title)
    return figure
