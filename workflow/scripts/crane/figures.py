"""The paper's Figures 4 and 6 and the random band: result frames in, a matplotlib Figure out."""

import math
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from crane.names import ORIGINAL
from crane.null_distribution import LIKENESS
from crane.results import Labels, ResultsError, f1_rows, score_rows
from crane.style import BLACK, DIVERGING, GREY, Style, legible_on, looks


def _judge(labels: Labels, suite: str) -> str:
    """Return a line that says who scored the open answers, empty for the other benchmarks."""
    return f"\nscores by {labels.judge}" if labels.kind_of(suite) == "open" and labels.judge else ""


def drop_heatmap(
    scores: pd.DataFrame,
    langspec_f1: pd.DataFrame,
    labels: Labels,
    model: str,
    suite: str,
    style: Style | None = None,
) -> Figure:
    """Figure 4: signed drops (original - masked) per mask and benchmark, beside LangSpec-F1 with intervals.

    The framed cell of a row is its target language's benchmark. Seeds of a random set are one row: mean, and
    smallest to largest seed; a pale bar with † stands for a target drop whose interval contains 0.

    Raises:
        ResultsError: the results lack a row, see `crane.results.score_rows`.
    """
    style = style or Style()
    benchmarks = labels.benchmarks_of(suite)
    rows = score_rows(scores, labels, [model], suite)
    effects = f1_rows(langspec_f1, labels, [model], suite)
    masked = rows[rows["label"] != ORIGINAL]
    drops, low, high = (
        masked[column].to_numpy().reshape(-1, len(benchmarks)) for column in ("drop", "drop_low", "drop_high")
    )
    seeds = effects["seeds"].to_numpy()
    digits = 3 if labels.kind_of(suite) == "nlu" else 2

    with style.applied():
        figure = Figure(figsize=(style.width, 0.19 * len(drops) + 1.1), layout="constrained")
        heat, bars = figure.subplots(1, 2, sharey=True, width_ratios=[1.8 if style.narrow else 2.7, 1])
        extreme = float(np.nanmax(np.abs(drops))) or 1.0
        image = heat.imshow(drops, cmap=DIVERGING, norm=Normalize(-extreme, extreme), aspect="auto")
        for row, column in np.ndindex(drops.shape):
            text = _signed(float(drops[row, column]), digits)
            if seeds[row] > 1 and len(benchmarks) <= 3 and not style.narrow:
                ends = (_signed(float(bound[row, column]), digits) for bound in (low, high))
                text += f" ({'…'.join(ends)})".replace("+", "")
            colour = legible_on(image.to_rgba(drops[row, column]))
            size = style.small - (0.7 if "…" in text else 0)
            heat.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
            if labels.benchmarks[benchmarks[column]]["language"] == effects["mask_language"][row]:
                heat.add_patch(
                    Rectangle((column - 0.48, row - 0.44), 0.96, 0.88, fill=False, lw=0.9, zorder=3)
                )
        sizes = masked.groupby("benchmark")["n"].first()
        names = [f"{labels.benchmarks[name]['label']}\nn = {sizes[name]:,.0f}" for name in benchmarks]
        heat.set_xticks(range(len(benchmarks)), names, rotation=90 if style.narrow else 0)
        heat.xaxis.tick_top()
        heat.tick_params(length=0)
        heat.spines[:].set_visible(False)
        shown = dict.fromkeys(labels.languages) if style.narrow else labels.languages
        heat.set_yticks(range(len(drops)), [shown[code] or code for code in effects["mask_language"]])
        _method_names(heat, labels, effects, style)
        figure.colorbar(
            image,
            ax=heat,
            location="bottom",
            aspect=40,
            pad=0.02,
            shrink=0.8,
            label=style.wrapped(
                f"Drop: original − masked ({labels.measure_of(suite)}){_judge(labels, suite)}"
            ),
        )

        _f1_bars(bars, effects, labels, style)
        for edge in np.arange(1, len(labels.mask_sets)) * len(labels.languages) - 0.5:
            heat.axhline(edge, color="white", lw=2.5, zorder=2)
            bars.axhline(edge, color="#DDDDDD", lw=0.6)
    return figure


def _signed(value: float, digits: int) -> str:
    """Round without a sign on zero, with a typographic minus."""
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")


def _method_names(axes: Axes, labels: Labels, effects: pd.DataFrame, style: Style) -> None:
    """Write each mask set's name once, left of its languages."""
    widest = max(map(len, labels.languages if style.narrow else labels.languages.values()))
    for place, (label, rows) in enumerate(effects.groupby("label", sort=False)):
        axes.annotate(
            labels.name(str(label), rows["seeds"].max()).replace(" (", "\n("),
            xy=(0, (place + 0.5) * len(labels.languages) - 0.5),
            xycoords=axes.get_yaxis_transform(),
            xytext=(-0.62 * widest * style.small - 10, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=style.small if style.narrow else style.font_size,
        )


def _f1_bars(axes: Axes, effects: pd.DataFrame, labels: Labels, style: Style) -> None:
    look = looks(labels, effects)
    for row, effect in enumerate(effects.to_dict("records")):
        unclear = effect["distinguishable"] < 1
        colour = look[effect["label"]][0]
        axes.barh(row, effect["f1"], height=0.62, color=colour, alpha=0.4 if unclear else 1.0, lw=0)
        end = effect["f1"]
        if pd.notna(effect["low"]):
            axes.hlines(row, effect["low"], effect["high"], color=BLACK, lw=0.8)
            end = max(end, effect["high"])
        text = f"{effect['f1']:.3f}" + ("†" if unclear else "")
        axes.annotate(text, (end, row), (3, 0), textcoords="offset points", va="center", fontsize=style.small)
    axes.tick_params(axis="y", length=0, labelleft=False)
    reach = np.nanmax([effects["f1"].max(), effects["high"].max(), 0.05])
    axes.set(xlim=(0, reach * 1.3), xlabel="LangSpec-F1")


def transfer(scores: pd.DataFrame, labels: Labels, suite: str, style: Style | None = None) -> Figure:
    """Figure 6: each benchmark's score when its own language is masked, from model to model.

    One panel per benchmark, the models in the order of `labels.models`; the unmasked score is the dashed
    line. Bars are 95% intervals over questions, for several seeds the smallest to the largest seed.

    Raises:
        ResultsError: the results lack a row, see `crane.results.score_rows`.
    """
    style = style or Style()
    benchmarks = labels.benchmarks_of(suite)
    rows = score_rows(scores, labels, list(labels.models), suite)
    places = np.arange(len(labels.models))
    count = len(labels.mask_sets)
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
            for shift, label in zip(shifts, labels.mask_sets, strict=True):
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
            ncols=style.across(4, 1.6),
            title=style.wrapped(_judge(labels, suite).strip()),
        )
    return figure


def random_band(langspec_f1: pd.DataFrame, labels: Labels, suite: str, style: Style | None = None) -> Figure:
    """LangSpec-F1 of every mask set against the range of the random seeds, per language and model.

    Rows are models, columns languages. Behind each mask set lies the band of the random seeds that it is compared
    with (`crane.null_distribution`); open markers stand for a target drop whose interval contains 0. Right of each
    panel: percentile and p-value among them, in parentheses where they are not drawn from the mask's own layers.

    Raises:
        ResultsError: the study has no random mask set, or the results lack a row.
    """
    style = style or Style()
    if not (langspec_f1["method"] == "random").any():
        raise ResultsError(f"random band: none of the mask sets {', '.join(labels.mask_sets)} is random")
    effects = f1_rows(langspec_f1, labels, list(labels.models), suite)
    look = looks(labels, langspec_f1)
    heights = dict(zip(labels.mask_sets, range(len(labels.mask_sets)), strict=True))
    unit = ["model", "label", "mask_language"]
    here = langspec_f1[langspec_f1["suite"] == suite]
    every = dict(list(here.groupby(unit)["f1"]))
    compared = here.drop_duplicates(unit).set_index(unit)[["null", "null_likeness"]]
    names = [labels.name(label, effects.loc[effects["label"] == label, "seeds"].max()) for label in heights]

    with style.applied():
        across = style.across(len(labels.languages), 2.0)
        lines = len(labels.models) * math.ceil(len(labels.languages) / across)
        figure = Figure(figsize=(style.width, (0.2 * len(heights) + 0.4) * lines + 0.6), layout="constrained")
        panels = figure.subplots(lines, across, sharex=True, sharey=True, squeeze=False)
        places = list(product(labels.models, labels.languages))
        for axes in panels.flat[len(places) :]:
            axes.remove()
        for (model, code), axes in zip(places, panels.flat, strict=False):
            rows = effects[(effects["model"] == model) & (effects["mask_language"] == code)]
            for effect in rows.to_dict("records"):
                label = effect["label"]
                height, (colour, marker) = heights[label], look[label]
                seeds = every[model, label, code]
                null, likeness = compared.loc[(model, label, code)]
                behind = every[model, null, code] if pd.notna(null) else seeds
                if len(behind) > 1:
                    axes.fill_betweenx(
                        [height - 0.5, height + 0.5], behind.min(), behind.max(), color=GREY, alpha=0.25, lw=0
                    )
                if len(seeds) > 1:
                    axes.plot(seeds, [height] * len(seeds), "|", color=colour, ms=9, mew=0.9)
                else:
                    axes.hlines(height, effect["low"], effect["high"], color=colour, lw=1)
                face = "white" if effect["distinguishable"] < 1 else colour
                axes.plot(effect["f1"], height, marker, color=colour, mfc=face, ms=4.5, clip_on=False)
                if pd.notna(effect["null_p"]):
                    text = f"{effect['null_percentile']:.0f}  {effect['null_p']:.2f}"
                    _beside(axes, height, text if likeness == LIKENESS[-1] else f"({text})", style)
            title = f"{labels.languages[code]}, n = {rows['questions'].iloc[0]:,.0f}"
            if across < len(labels.languages):  # over the names, away from the heading of the numbers
                axes.set_title(f"{labels.models[model]}: {title}", loc="right")
            else:
                axes.set_title(title, loc="left")
            _beside(axes, -0.75, "%ile  p", style)
        for axes, model in zip(panels[:, 0], labels.models, strict=False):
            if across == len(labels.languages):
                axes.set_ylabel(labels.models[model], fontweight="bold")
        panels[0, 0].set_yticks(range(len(heights)), names)
        panels[0, 0].set_ylim(len(heights) - 0.5, -0.5)
        panels[0, 0].set_xlim(left=0)
        note = (
            "Grey: range of the random sets that a mask is compared with. %ile, p: place among them "
            f"({_floors(here)}), in parentheses where they are not matched by layer"
        )
        figure.supxlabel(
            style.wrapped(f"LangSpec-F1 ({labels.title_of(suite)}){_judge(labels, suite)}\n{note}"),
            fontsize=style.font_size,
        )
    return figure


def _floors(rows: pd.DataFrame) -> str:
    """Say how small p can be, which depends on the number of random sets."""
    floors = sorted({f"{1 / (1 + seeds):.2f}" for seeds in rows["null_seeds"].dropna()})
    return f"p is at least {' or '.join(floors)}"


def _beside(axes: Axes, height: float, text: str, style: Style) -> None:
    """Write right of a panel."""
    axes.annotate(
        text, (1, height), (2, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points", va="center",
        fontsize=style.small, annotation_clip=False,
    )  # fmt: skip
