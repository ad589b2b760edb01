"""The paper's Figures 4 and 6 and the random band: result frames in, a matplotlib Figure out."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from crane.figures.style import BLACK, DIVERGING, Style, legible_on, looks
from crane.names import ORIGINAL
from crane.results.frames import f1_rows, score_rows
from crane.results.labels import Labels


def drop_heatmap(
    scores: pd.DataFrame,
    langspec_f1: pd.DataFrame,
    labels: Labels,
    *,
    model: str,
    suite: str,
    style: Style | None = None,
) -> Figure:
    """Figure 4: signed drops (original - masked) per mask and benchmark, beside LangSpec-F1 with intervals.

    The framed cell of a row is its target language's benchmark. Seeds of a random set are one row: mean, and
    smallest to largest seed; a pale bar with † stands for a target drop whose interval contains 0.

    Raises:
        ResultsError: the results lack a row, see `crane.results.frames.score_rows`.
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
    if style.narrow and len(benchmarks) > 3:
        digits -= 1  # there is no room for the last one
    sizes = masked.groupby("benchmark")["n"].first()
    names = [f"{labels.benchmarks[name]['label']}\nn = {sizes[name]:,.0f}" for name in benchmarks]
    note = style.wrapped(f"Drop: original − masked ({labels.measure_of(suite)}){labels.judge_line(suite)}")

    with style.applied():
        above = max(map(style.length, names)) if style.narrow else style.height(names[0])
        height = 0.19 * len(drops) + above + style.height(note) + 0.75
        figure = Figure(figsize=(style.width, height), layout="constrained")
        heat, bars = figure.subplots(1, 2, sharey=True, width_ratios=[1.8 if style.narrow else 2.7, 1])
        # A destroyed model would leave no colour for the others.
        told = drops[(effects["method"] != "all").to_numpy()]
        extreme = float(np.nanmax(np.abs(told if len(told) else drops))) or 1.0
        image = heat.imshow(drops, cmap=DIVERGING, norm=Normalize(-extreme, extreme), aspect="auto")
        for row, column in np.ndindex(drops.shape):
            text = _signed(float(drops[row, column]), digits)
            if style.narrow and abs(drops[row, column]) < 1:
                text = text.replace("0.", ".", 1)  # there is no room for the zero
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
        heat.set_xticks(range(len(benchmarks)), names, rotation=90 if style.narrow else 0)
        heat.xaxis.tick_top()
        heat.tick_params(length=0)
        heat.spines[:].set_visible(False)
        shown = dict.fromkeys(labels.languages) if style.narrow else labels.languages
        heat.set_yticks(range(len(drops)), [shown[code] or code for code in effects["mask_language"]])
        _method_names(heat, labels, effects, style)
        ticks = MaxNLocator(3 if style.narrow else 7)
        beyond = "max" if np.nanmax(drops) > extreme else "neither"
        figure.colorbar(
            image, ax=heat, location="bottom", aspect=40, pad=0.02, shrink=0.8, ticks=ticks, extend=beyond
        )
        # Across the figure: it may be wider than the panel of the bar, as whose label it would leave the canvas.
        figure.supxlabel(note, fontsize=style.font_size)

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
