"""LangSpec-F1 against the band of the random mask sets: result frames in, a matplotlib Figure out."""

import math
from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crane.figures.style import GREY, Style, looks
from crane.results.frames import f1_rows
from crane.results.labels import Labels, ResultsError
from crane.scores.null_distribution import LIKENESS


def random_band(
    langspec_f1: pd.DataFrame, labels: Labels, *, suite: str, style: Style | None = None
) -> Figure:
    """LangSpec-F1 of every mask set against the range of the random seeds, per language and model.

    Rows are models, columns languages. Behind each mask set lies the band of the random seeds that it is compared
    with (`crane.scores.null_distribution`); open markers stand for a target drop whose interval contains 0. Right of
    each panel: percentile and p-value among them, in parentheses where they are not drawn from the mask's own layers.

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
        figure = Figure(figsize=(style.width, (0.2 * len(heights) + 0.5) * lines + 0.6), layout="constrained")
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
            above = style.font_size + 4  # over the heading of the numbers
            if across < len(labels.languages):
                whole = f"{labels.models[model]}: {title}"
                if style.length(whole) > style.width / across / 2:  # the names of the mask sets take the rest
                    whole = whole.replace(": ", ":\n", 1)
                axes.set_title(whole, loc="right", pad=above)
            else:
                axes.set_title(title, loc="left", pad=above)
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
            style.wrapped(f"LangSpec-F1 ({labels.title_of(suite)}){labels.judge_line(suite)}\n{note}"),
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
