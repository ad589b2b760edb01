"""The figure of equal damage: what a mask costs its own language against what it costs the others, budget by budget."""

import math

import pandas as pd
from matplotlib.figure import Figure

from crane.figures.style import GREY, Style, looks
from crane.results.frames import questions_by_language
from crane.results.labels import Labels
from crane.results.sweeps import points_of
from crane.scores.sweeps import ALL

SIZES = (3.0, 7.0)
"""Points, the markers of the smallest and of the largest budget."""


def equal_damage(points: pd.DataFrame, labels: Labels, *, suite: str, style: Style | None = None) -> Figure:
    """Draw the drop of the masked language against the largest drop of another one, along the budgets.

    Methods differ in how much a neuron of theirs breaks, and so at the same number of neurons. At the same damage to
    the others, the method is better whose curve lies above (method, section 12). One panel per masked language; every
    curve begins at the unmasked model, larger markers are larger budgets, random sets are the mean over their seeds.

    Args:
        points: of the sweep over budgets (`crane.scores.sweeps.score_sweep`).
        labels: of the study.
        suite: what was evaluated.
        style: sizes.

    Raises:
        ResultsError: a mask set that the study does not have.
    """
    style = style or Style()
    points = points_of(points, ALL, labels)
    look = looks(labels, points)
    present = [label for label in labels.mask_sets if label in set(points["label"])]
    budgets = sorted(points["value"].unique())
    step = (SIZES[1] - SIZES[0]) / max(len(budgets) - 1, 1)
    size = {budget: SIZES[0] + step * place for place, budget in enumerate(budgets)}
    columns = style.across(min(3, len(labels.languages)), 2.0)
    lines = math.ceil(len(labels.languages) / columns)

    with style.applied():
        figure = Figure(
            figsize=(style.width, 0.95 * style.width / columns * lines + 0.8), layout="constrained"
        )
        panels = list(figure.subplots(lines, columns, squeeze=False).flat)
        for axes, code in zip(panels, labels.languages, strict=False):
            axes.axline((0, 0), slope=1, color=GREY, ls="--", lw=0.8, label="as much as the other")
            axes.axhline(0, color=GREY, lw=0.6)
            axes.axvline(0, color=GREY, lw=0.6)
            here = points[points["mask_language"] == code]
            for label in present:
                of_set = here[here["label"] == label].sort_values("value")
                colour, marker = look[label]
                name = labels.name(label, of_set["seeds"].max())
                axes.plot(
                    [0, *of_set["other_drop"]], [0, *of_set["target_drop"]], color=colour, lw=1, marker=marker,
                    ms=SIZES[0], markevery=(1, 1), label=name, zorder=2,
                )  # fmt: skip
                for point in of_set.to_dict("records"):
                    axes.plot(
                        point["other_drop"],
                        point["target_drop"],
                        marker,
                        color=colour,
                        ms=size[point["value"]],
                        zorder=3,
                    )
            axes.set_title(f"{labels.languages[code]} masked")
        for axes in panels[len(labels.languages) :]:
            axes.remove()
        shown = ", ".join(f"{100 * budget:g}%" for budget in budgets)
        note = (
            f"Largest drop of another language ({labels.title_of(suite)}, {labels.measure_of(suite)}; "
            f"n = {questions_by_language(points)}; markers: {shown} of all neurons)"
        )
        figure.supxlabel(style.wrapped(note), fontsize=style.font_size)
        figure.supylabel("Drop of the masked language", fontsize=style.font_size)
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=style.legend_columns(names, 4))
    return figure
