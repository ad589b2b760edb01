"""The perplexity matrices as heatmaps: one panel per mask set, its own language on the diagonal."""

import math
import textwrap

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from crane.figures.style import DIVERGING, Style, legible_on
from crane.names import ORIGINAL
from crane.results.labels import Labels
from crane.results.perplexity import perplexity_rows

COLUMNS = 4
FULL_COLOUR = math.log(100)
"""Log-ratio from which colours differ no more: a model that has lost a language would take the whole scale."""


def perplexity_heatmap(
    perplexity: pd.DataFrame, labels: Labels, *, model: str, style: Style | None = None
) -> Figure:
    """Draw the log-ratio of perplexity to the unmasked model's: rows are masks, columns the texts' languages.

    The framed diagonal is the mask of the texts' own language; seeds are averaged.

    Raises:
        ResultsError: see `crane.results.perplexity.perplexity_rows`.
    """
    style = style or Style()
    rows = perplexity_rows(perplexity, labels, model)
    rows = rows[rows["label"] != ORIGINAL]
    sets = list(dict.fromkeys(rows["label"]))
    count = len(labels.languages)
    panel = max(1.6, count * (style.length(_times(1, style)) + 0.1) + 0.25)
    lines = math.ceil(len(sets) / style.across(min(COLUMNS, len(sets)), panel))
    columns = math.ceil(len(sets) / lines)
    largest = float(rows["log_ratio"].abs().max()) or 1.0
    extreme = min(largest, FULL_COLOUR)

    with style.applied():
        size = style.width / columns
        names = {
            label: labels.name(label, seeds) for label, seeds in rows.groupby("label")["seeds"].max().items()
        }
        if max(map(style.length, names.values())) * style.font_size / style.small > size - 0.3:
            width = int((size - 0.5) * 72 / (0.6 * style.font_size))
            names = {label: _broken(name, width) for label, name in names.items()}
        each = (0.8 * size if columns > 1 else 0.25 * count) + 0.35
        each += 0.14 * max(name.count("\n") for name in names.values())
        figure = Figure(figsize=(style.width, lines * each + 0.7), layout="constrained")
        panels = figure.subplots(lines, columns, squeeze=False)
        for axes in panels.flat[len(sets) :]:
            axes.remove()
        for place, label in enumerate(sets):
            axes = panels.flat[place]
            of_set = rows[rows["label"] == label]
            ratios = of_set["log_ratio"].to_numpy().reshape(count, count)
            image = axes.imshow(ratios, cmap=DIVERGING, norm=Normalize(-extreme, extreme), aspect="auto")
            for row, column in np.ndindex(ratios.shape):
                axes.text(column, row, _times(float(np.exp(ratios[row, column])), style), ha="center", va="center",
                          fontsize=style.small, color=legible_on(image.to_rgba(ratios[row, column])))  # fmt: skip
                if row == column:
                    axes.add_patch(Rectangle((column - 0.47, row - 0.47), 0.94, 0.94, fill=False, lw=0.9))
            axes.set_title(names[label])
            axes.set_xticks(range(count), list(labels.languages))
            axes.set_yticks(range(count), list(labels.languages) if place % columns == 0 else [""] * count)
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
        panels[0, 0].set_ylabel("Language masked")
        figure.supxlabel("Language of the texts", fontsize=style.font_size)
        documents = rows["documents"].iloc[0]
        figure.colorbar(
            image, ax=figure.axes, location="right", aspect=25 * lines,
            extend="both" if extreme < largest else "neither",
            label=f"Log of the perplexity's ratio\n(n = {documents:,.0f} documents)",
        )  # fmt: skip
    return figure


def _times(ratio: float, style: Style) -> str:
    """Return a factor with three digits, or its power of ten from 1,000."""
    if ratio >= 1000:
        digits, exponent = f"{ratio:.0e}".split("e")
        return f"×{'' if style.narrow else ' '}{digits}e{int(exponent)}"
    decimals = 2 if ratio < 10 else 1 if ratio < 100 else 0
    return f"×{'' if style.narrow else ' '}{ratio:.{decimals}f}"


def _broken(name: str, width: int) -> str:
    """Break a name before its parenthesis, and what precedes it into lines of so many characters."""
    words, bracket, rest = name.partition(" (")
    return textwrap.fill(words, max(width, 8), break_long_words=False) + (f"\n({rest}" if bracket else "")
