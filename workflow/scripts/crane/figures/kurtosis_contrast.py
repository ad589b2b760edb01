"""The paper's Figure 3: which neurons concentrate their relevance under one language."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from crane.figures.style import BLACK, COLOURS, GREY, Style
from crane.results.labels import Labels, ResultsError

MAX_LAYERS = 8
LINEAR_TO = 2.0
TICKS = (0.0, 10.0, 100.0, 1000.0, -10.0, 1.0, 3.0, 30.0, 300.0, -3.0)
"""In the order in which they are left out last."""
UNIT = ["layer", "site", "neuron"]
"""What tells neurons apart."""


def kurtosis_contrast(
    kurtosis: Mapping[str, pd.DataFrame],
    labels: Labels,
    *,
    threshold: float,
    masks: pd.DataFrame | None = None,
    style: Style | None = None,
) -> Figure:
    """Figure 3: each neuron's z under the target language against its largest z under the others.

    Rows are target languages, columns layers (of deep models eight, evenly spaced; four in a narrow figure).
    `kurtosis` holds tables with language, layer, site, neuron and z, by the name of their file; neurons without a
    kurtosis in every language are left out. Coloured and counted are those of `masks` (language, layer, site, neuron),
    by default the ones beyond the threshold under the target language alone.

    Raises:
        ResultsError: fewer than two languages, or one of the study's is missing.
    """
    style = style or Style()
    languages = labels.languages
    statistics = pd.concat([table[["language", *UNIT, "z"]] for table in kurtosis.values()])
    present = set(statistics["language"])
    if len(languages) < 2 or not present.issuperset(languages):
        raise ResultsError(
            f"kurtosis contrast: needs two languages or more, each in the kurtosis tables; asked for "
            f"{', '.join(languages)}, found {', '.join(sorted(present))}"
        )
    layers = np.sort(statistics["layer"].unique())
    most = min(style.across(MAX_LAYERS, 0.8), len(layers))
    shown = layers[np.linspace(0, len(layers) - 1, most).round().astype(int)]
    z = statistics[statistics["layer"].isin(shown)].pivot(index=UNIT, columns="language", values="z")
    z = z[list(languages)].dropna()
    smallest, largest = float(z.to_numpy().min()), float(z.to_numpy().max())
    limits = (min(-1.0, smallest * 1.2), max(2 * threshold, largest * 1.5))
    panel = min(1.3, style.width / (len(shown) + 0.4))
    ticks = _ticks(limits, 0.8 * panel, style)

    with style.applied():
        height = (panel + 0.22) * len(languages) + 0.65
        figure = Figure(figsize=(style.width, height), layout="constrained")
        panels = figure.subplots(len(languages), len(shown), sharex=True, sharey=True, squeeze=False)
        for row, (code, language) in enumerate(languages.items()):
            target, others = z[code], z.drop(columns=code).max(axis=1)
            if masks is None:
                chosen = (target > threshold) & (others < threshold)
            else:
                index = pd.MultiIndex.from_frame(masks.loc[masks["language"] == code, UNIT])
                chosen = pd.Series(z.index.isin(index), index=z.index)
            for axes, layer in zip(panels[row], shown, strict=True):
                here = z.index.get_level_values("layer") == layer
                for mask, colour, size in ((~chosen, GREY, 1.5), (chosen, COLOURS[1], 3.0)):
                    axes.scatter(
                        target[here & mask], others[here & mask], s=size, c=colour, lw=0, rasterized=True
                    )
                axes.axvline(threshold, color=BLACK, lw=0.6, ls="--")
                axes.axhline(threshold, color=BLACK, lw=0.6, ls="--")
                for axis, scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
                    scale("symlog", linthresh=LINEAR_TO)
                    axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
                    axis.set_minor_locator(NullLocator())
                axes.set(xlim=limits, ylim=limits)
                count = f"{int(chosen[here].sum()):,} of {int(here.sum()):,}"
                axes.set_title(f"Layer {layer}\n{count}" if row == 0 else count, fontsize=style.small, pad=3)
            panels[row, 0].set_ylabel(language, fontweight="bold")
        note = (
            f"z of the kurtosis under the target language (linear up to ±{LINEAR_TO:g}, logarithmic beyond)\n"
        )
        note += "above each panel: neurons selected of all"
        if len(shown) < len(layers):
            note += f"; {len(shown)} of {len(layers)} layers shown, evenly spaced"
        figure.supxlabel(style.wrapped(note), fontsize=style.font_size)
        figure.supylabel("Largest z under the other languages", fontsize=style.font_size)
    return figure


def _ticks(limits: tuple[float, float], panel: float, style: Style) -> list[float]:
    """Return the ticks of both axes: as many of `TICKS`, in their order, as have room in a panel of some inches."""

    def place(z: float) -> float:
        beyond = np.log10(max(abs(z), LINEAR_TO) / LINEAR_TO)
        return float(np.clip(z, -LINEAR_TO, LINEAR_TO) / 0.9 + np.sign(z) * LINEAR_TO * beyond)

    low, high = map(place, limits)
    scale = panel / (high - low)
    chosen: list[float] = []
    for tick in (tick for tick in TICKS if limits[0] < tick < limits[1]):
        apart = (
            abs(place(tick) - place(other)) * scale
            - (style.length(f"{tick:g}") + style.length(f"{other:g}")) / 2
            for other in chosen
        )
        if all(gap > 0.04 for gap in apart):
            chosen.append(tick)
    return sorted(chosen)
