"""The explorer's charts, as Vega-Lite specifications with named data that the page fills.

Altair draws them; languages have the colours of Okabe and Ito that the figures use (crane.figures.style).
"""

from collections.abc import Sequence
from typing import Any, Literal

import altair as alt

from crane.figures.style import BLACK, COLOURS, GREY

Theme = Literal["light", "dark"]
SEVERAL = "several languages"
"""Group of the neurons that a mask set has for more than one language."""
COLUMNS = 256
"""Most columns of the map; a column of a wider model holds several neurons."""
_INK: dict[Theme, str] = {"light": "#222222", "dark": "#e6e6e6"}
_GRID: dict[Theme, str] = {"light": "#dddddd", "dark": "#444444"}
_MANY: dict[Theme, str] = {"light": BLACK, "dark": "#ffffff"}
_ACROSS = alt.AutoSizeParams(type="fit-x", contains="padding")
_MARKS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross")


def language_colours(languages: Sequence[str]) -> list[str]:
    """Return a colour per language; grey beyond those that can be told apart."""
    return [COLOURS[place] if place < len(COLOURS) else GREY for place in range(len(languages))]


def bin_width(width: int) -> int:
    """Return how many neurons a column of the map holds, for layers of `width` neurons."""
    return -(-width // COLUMNS)


def charts(languages: Sequence[str], layers: int, width: int) -> dict[str, dict[str, Any]]:
    """Return theme -> chart (`map`, `spread`, `shared`) -> specification.

    Args:
        languages: their names, in the study's order.
        layers: K.
        width: neurons per layer.
    """
    themes: tuple[Theme, ...] = ("light", "dark")
    return {
        theme: {
            "map": _finished(_map(languages, layers, width, theme), theme),
            "spread": _finished(_spread(languages), theme),
            "shared": _finished(_shared(languages, theme), theme),
        }
        for theme in themes
    }


def _finished(chart: Any, theme: Theme) -> dict[str, Any]:
    ink = _INK[theme]
    return (
        chart.configure(background="transparent", font="system-ui, sans-serif")
        .configure_view(stroke=_GRID[theme])
        .configure_axis(
            labelColor=ink, titleColor=ink, gridColor=_GRID[theme], domainColor=ink, tickColor=ink,
            labelFontSize=12, titleFontSize=12, titleFontWeight="normal",
        )
        .configure_legend(labelColor=ink, titleColor=ink, labelFontSize=12, titleFontSize=12, titleFontWeight="normal")
        .configure_header(labelColor=ink, titleColor=ink, labelFontSize=12)
        .to_dict()
    )  # fmt: skip


def _map(languages: Sequence[str], layers: int, width: int, theme: Theme) -> alt.Chart:
    """Layers x neurons; within a layer a line per language and one of the neurons of several languages."""
    groups = [*languages, SEVERAL]
    colours = [*language_colours(languages), _MANY[theme]]
    line = max(3, min(14, 640 // (layers * len(groups))))
    across = alt.Scale(domain=[0, width], nice=False)
    down = alt.Scale(domain=list(range(layers)), paddingInner=0.15)
    by_group = alt.Scale(domain=groups, range=colours)
    return (
        alt.Chart(alt.NamedData("cells"))
        .mark_rect(cursor="pointer")
        .encode(
            x=alt.X("first:Q", title="neuron", scale=across, axis=alt.Axis(grid=False)),
            x2=alt.X2("end:Q"),
            y=alt.Y("layer:O", title="layer", scale=down),
            yOffset=alt.YOffset("group:N", scale=alt.Scale(domain=groups)),
            color=alt.Color("group:N", scale=by_group, legend=alt.Legend(title=None, orient="top")),
            # Of a wide model, few of a column's neurons are selected; the largest share is the darkest.
            opacity=alt.Opacity("share:Q", scale=alt.Scale(type="sqrt", zero=True, range=[0.1, 1]), legend=None),
            tooltip=[
                "layer:O", "neurons:N", alt.Tooltip("group:N", title="of"), alt.Tooltip("count:Q", title="selected")
            ],
        )
        .properties(width="container", height=round(1.18 * layers * len(groups) * line), autosize=_ACROSS)
    )  # fmt: skip


def _spread(languages: Sequence[str]) -> alt.LayerChart:
    """What is known of a neuron's distribution in each language: range, mean +- std, and the top samples."""
    colour = alt.Color(
        "language:N", scale=alt.Scale(domain=list(languages), range=language_colours(languages)), legend=None
    )
    shape = alt.Shape(
        "language:N",
        scale=alt.Scale(
            domain=list(languages), range=[_MARKS[place % len(_MARKS)] for place in range(len(languages))]
        ),
        legend=None,
    )
    y = alt.Y("language:N", title=None, sort=list(languages), axis=alt.Axis(labelLimit=160))
    spread = alt.Chart(alt.NamedData("spread"))
    told = ["language:N", "mean:Q", "std:Q", "minimum:Q", "maximum:Q", "samples:Q"]
    title = "relevance of a sample: line minimum to maximum, bar mean ± one standard deviation, points top samples"
    lines = spread.mark_rule(strokeWidth=2).encode(
        x=alt.X("minimum:Q", title=title), x2="maximum:Q", y=y, color=colour, tooltip=told
    )
    bars = spread.mark_bar(height=12, opacity=0.35).encode(
        x="low:Q", x2="high:Q", y=y, color=colour, tooltip=told
    )
    means = spread.mark_tick(thickness=3, height=16).encode(x="mean:Q", y=y, color=colour, tooltip=told)
    points = (
        alt.Chart(alt.NamedData("points"))
        .mark_point(size=70, filled=True, opacity=0.9)
        .encode(
            x="relevance:Q", y=y, color=colour, shape=shape, tooltip=["language:N", "relevance:Q", "sample:Q"]
        )
    )
    return (lines + bars + means + points).properties(
        width="container", height=38 * len(languages), autosize=_ACROSS
    )


def _shared(languages: Sequence[str], theme: Theme) -> alt.Chart:
    """Neurons per layer that two mask sets share, or that one of them has alone, by language."""
    parts = ["only in the first", "in both", "only in the second"]
    colours = [COLOURS[0], _MANY[theme], COLOURS[1]]
    return (
        alt.Chart(alt.NamedData("shared"))
        .mark_bar()
        .encode(
            x=alt.X("layer:O", title="layer", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("count:Q", title="neurons"),
            order=alt.Order("order:Q"),
            color=alt.Color(
                "part:N",
                scale=alt.Scale(domain=parts, range=colours),
                legend=alt.Legend(title=None, orient="top"),
            ),
            column=alt.Column("language:N", title=None, sort=list(languages)),
            tooltip=["language:N", "layer:O", "part:N", "count:Q"],
        )
        .properties(width=max(120, 720 // len(languages)), height=180)
    )
