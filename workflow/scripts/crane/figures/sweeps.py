"""The figures of the sweeps: curves along a setting, and LangSpec-F1 of every ablation."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from crane.figures.style import BLACK, GREY, Style, looks
from crane.results.frames import questions_by_language
from crane.results.labels import Labels
from crane.results.sweeps import points_of, setting_name
from crane.scores.sweeps import ALL

ROWS = [
    # column, its bounds (None: it has none), label
    ("f1", ("low", "high"), "LangSpec-F1"),
    ("target_drop", ("target_drop_low", "target_drop_high"), "Drop, masked\nlanguage"),
    ("other_drop", ("other_drop_low", "other_drop_high"), "Largest drop,\nother language"),
]
COUNT = ("neurons", None, "Neurons")
UNCHANGED = "× 1"
"""The factor that changes nothing."""
AXES = {
    "budget": "Budget: share of all neurons, per language",
    "threshold": "Threshold",
    "intervention": "Neurons' outputs multiplied by",
}


def sweep_figure(
    points: pd.DataFrame, labels: Labels, *, sweep: str, suite: str, style: Style | None = None
) -> Figure:
    """Draw one sweep, on all questions; columns are masked languages.

    Args:
        points: of `crane.scores.sweeps.score_sweep`.
        labels: of the study.
        sweep: `budget`, `threshold`, `intervention` (curves: F1, drops of the masked and the most hurt other language)
            or `ablation` (F1 of every setting).
        suite: what was evaluated.
        style: sizes.

    Raises:
        ResultsError: a mask set that the study does not have.
    """
    style = style or Style()
    points = points_of(points, ALL, labels)
    if sweep == "ablation":
        return _ablation(points, labels, suite, style)
    rows = [*ROWS, COUNT] if sweep == "threshold" else ROWS
    values = points.drop_duplicates("setting").set_index("setting")["value"]
    if sweep == "intervention":
        points = _with_unmasked(points)
        values = values.combine_first(pd.Series({UNCHANGED: 1.0}))
    places = _places(values, logarithmic=sweep == "budget")
    settings = sorted(places, key=places.__getitem__)

    with style.applied():
        figure = Figure(figsize=(style.width, 1.25 * len(rows) + 0.9), layout="constrained")
        panels = figure.subplots(len(rows), len(labels.languages), sharex=True, sharey="row", squeeze=False)
        look = looks(labels, points)
        for column, code in enumerate(labels.languages):
            here = points[points["mask_language"] == code]
            for row, (measure, bounds, _) in enumerate(rows):
                _curves(panels[row, column], here, measure, bounds, places, look, labels)
            panels[0, column].set_title(_title(labels, code, style))
        for row, (measure, _, name) in enumerate(rows):
            panels[row, 0].set_ylabel(name)
            for axes in panels[row]:
                if measure.endswith("drop"):
                    axes.axhline(0, color=BLACK, lw=0.6)
                for setting in points.loc[points["configured"], "setting"].unique():
                    axes.axvline(places[setting], color=GREY, ls=":", lw=0.8)
        names = [setting.replace("× ", "") for setting in settings]
        turned = _crowded([places[setting] for setting in settings], names, len(labels.languages), style)
        for axes in panels[-1]:
            axes.set_xticks([places[setting] for setting in settings], names, rotation=90 if turned else 0)
            axes.xaxis.set_minor_locator(NullLocator())
        subtitle = f"{labels.title_of(suite)}, n = {questions_by_language(points)}"
        figure.supxlabel(
            style.wrapped(f"{AXES[sweep]} ({subtitle}; drops in {labels.measure_of(suite)})"),
            fontsize=style.font_size,
        )
        handles, names = panels[0, 0].get_legend_handles_labels()
        if len(names) > 1:
            figure.legend(handles, names, loc="outside upper center", ncols=style.legend_columns(names, 4))
        else:
            figure.suptitle(names[0], fontsize=style.font_size, fontweight="bold")
    return figure


def _title(labels: Labels, code: str, style: Style) -> str:
    return code if style.narrow else f"{labels.languages[code]} masked"


def _places(values: pd.Series, *, logarithmic: bool) -> dict[str, float]:
    """Return where each setting stands: budgets by their logarithm, others by their number, names at the end."""
    known = values.dropna().astype(float)
    places = np.log2(known) if logarithmic else known
    last, step = (
        (float(places.max()), 0.45 * max(float(places.max() - places.min()), 1.0))
        if len(places)
        else (0.0, 1.0)
    )
    named = [setting for setting in values.index if setting not in places.index]
    beyond = {setting: last + step * (number + 1) for number, setting in enumerate(named)}
    return {str(setting): float(beyond.get(setting, places.get(setting))) for setting in values.index}


def _crowded(places: Sequence[float], names: Sequence[str], panels: int, style: Style) -> bool:
    """Say whether ticks at these places, in panels side by side, have too little room for their names in a row."""
    inches = (style.width - 0.7) / panels - 0.2
    scale = inches / 1.1 / ((places[-1] - places[0]) or 1.0)
    steps = (
        (after - before) * scale - (style.length(one) + style.length(other)) / 2
        for before, after, one, other in zip(places, places[1:], names, names[1:], strict=False)
    )
    return any(step < 0.05 for step in steps)


def _with_unmasked(points: pd.DataFrame) -> pd.DataFrame:
    """Add the factor 1, where every curve is at 0 by definition: the unmasked model."""
    if UNCHANGED in set(points["setting"]):
        return points
    unmasked = points.drop_duplicates(["label", "mask_language"]).copy()
    measured = [column for column, bounds, _ in ROWS for column in (column, *(bounds or ()))]
    unmasked[measured] = 0.0
    unmasked["setting"], unmasked["value"] = UNCHANGED, 1.0
    both = pd.concat([points, unmasked], ignore_index=True)
    return both.assign(order=both["value"].fillna(np.inf))


def _curves(
    axes: Axes,
    here: pd.DataFrame,
    measure: str,
    bounds: tuple[str, str] | None,
    places: dict[str, float],
    look: dict[str, tuple[str, str]],
    labels: Labels,
) -> None:
    present = [label for label in labels.mask_sets if label in set(here["label"])]
    width = max(places.values()) - min(places.values()) or 1.0
    for number, label in enumerate(present):
        points_of_set = here[here["label"] == label].sort_values("order")
        colour, marker = look[label]
        numbered = points_of_set["value"].notna()
        drawn = points_of_set["method"].iloc[0] == "random"
        shift = 0.0 if drawn else (number - (len(present) - 1) / 2) * 0.02 * width
        x = points_of_set["setting"].map(places).astype(float) + shift
        name = labels.name(label, points_of_set["seeds"].max())
        if drawn and bounds:
            axes.fill_between(
                x, points_of_set[bounds[0]], points_of_set[bounds[1]], color=GREY, alpha=0.25, lw=0
            )
        axes.plot(
            x[numbered],
            points_of_set.loc[numbered, measure],
            color=colour,
            marker=marker,
            ms=3.5,
            lw=1,
            label=name,
        )
        axes.plot(
            x[~numbered], points_of_set.loc[~numbered, measure], color=colour, marker=marker, ms=3.5, ls=""
        )
        if bounds and not drawn:
            axes.vlines(x, points_of_set[bounds[0]], points_of_set[bounds[1]], color=colour, lw=0.8)


def _ablation(points: pd.DataFrame, labels: Labels, suite: str, style: Style) -> Figure:
    """LangSpec-F1 of every setting; one block of rows per reference set, the reference itself first."""
    look = looks(labels, points)
    names: list[str] = []
    heights: dict[tuple[str, str, str], float] = {}
    ticks: list[float] = []
    for label, points_of_set in points.groupby("label", sort=False):
        for varied, setting in points_of_set[["varied", "setting"]].drop_duplicates().itertuples(index=False):
            heights[str(label), varied, setting] = len(names) + 0.6 * len(
                {key[0] for key in heights} - {label}
            )
            ticks.append(heights[str(label), varied, setting])
            shown = setting_name(varied, setting)
            names.append(f"{labels.name(str(label))}, {shown}" if not varied else shown)

    with style.applied():
        figure = Figure(figsize=(style.width, 0.19 * max(ticks) + 1.1), layout="constrained")
        panels: Sequence[Axes] = figure.subplots(
            1, len(labels.languages), sharex=True, sharey=True, squeeze=False
        )[0]
        for axes, code in zip(panels, labels.languages, strict=True):
            for point in points[points["mask_language"] == code].to_dict("records"):
                height = heights[point["label"], point["varied"], point["setting"]]
                colour, marker = look[point["label"]]
                axes.hlines(height, point["low"], point["high"], color=colour, lw=1)
                face = "white" if point["distinguishable"] < 1 else colour
                axes.plot(point["f1"], height, marker, color=colour, mfc=face, ms=4.5, clip_on=False)
                if point["configured"]:
                    axes.axvline(point["f1"], color=colour, ls=":", lw=0.8)
            axes.set_title(_title(labels, code, style))
        panels[0].set_yticks(ticks, names)
        panels[0].set_ylim(max(ticks) + 0.5, -0.5)
        panels[0].set_xlim(left=0)
        subtitle = f"{labels.title_of(suite)}, n = {questions_by_language(points)}"
        figure.supxlabel(style.wrapped(f"LangSpec-F1 ({subtitle})"), fontsize=style.font_size)
    return figure
