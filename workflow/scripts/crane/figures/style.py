"""How all figures look: sizes, fonts, colours, and how they are written.

No pyplot, no global state: every figure is built within one `Style`, which `save` uses again because ticks and fonts
are settled only when the figure is drawn. Colours are Okabe and Ito's, told apart with the common kinds of colour
blindness; a mask set keeps its colour and its marker in all figures.
"""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patheffects import withStroke
from matplotlib.textpath import TextToPath

from crane.artefacts import atomic_file
from crane.names import REFERENCES
from crane.results.labels import Labels, ResultsError

NARROW = 5.0
"""Inches below which a figure is a column's."""
FONT = "DejaVu Sans"
"""Ships with matplotlib: the same picture on every machine."""
BLACK, GREY = "#000000", "#8C8C8C"
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
MARKERS = ["o", "s", "D", "^", "v", "P", "<", ">"]
DIVERGING = "PuOr_r"
"""Colour map of what can be a loss or a gain."""
OF_RANDOM = ["X", "*", "p", "h"]
OF_ALL = "d"


@dataclass(frozen=True)
class Style:
    """Sizes of all figures."""

    width: float = 6.9
    """Inches: 6.9 is a page of two columns, 3.3 one of them, in which less stands side by side."""
    font_size: float = 8.0
    """Points; small print is one and a half less."""
    dpi: int = 300
    """Of the PNG and of the rasterised points in the PDF."""

    @property
    def small(self) -> float:
        """Font size in points of what is printed inside panels."""
        return self.font_size - 1.5

    @property
    def narrow(self) -> bool:
        """Whether the figure is as wide as a column rather than a page."""
        return self.width < NARROW

    def across(self, most: int, each: float) -> int:
        """Return how many panels of `each` inches stand side by side, `most` at the most."""
        return max(1, min(most, int(self.width // each)))

    def legend_columns(self, names: Sequence[str], most: int) -> int:
        """Return in how many columns a legend of lines fits into the figure, `most` at the most."""
        font = FontProperties(family=FONT, size=self.small)
        widths = [TextToPath().get_text_width_height_descent(name, font, ismath=False)[0] for name in names]
        # matplotlib's handlelength, handletextpad and columnspacing, in font sizes; it fills column after column.
        besides = 4.8 * self.small
        for columns in range(min(most, len(names)), 1, -1):
            needed = sum(max(column) + besides for column in np.array_split(widths, columns))
            if needed <= 72 * self.width:
                return columns
        return 1

    @property
    def gap(self) -> float:
        """Rows between two blocks of rows; in a narrow figure a block's name stands there (`name_block`)."""
        return 1.4 if self.narrow else 0.6

    def height(self, text: str) -> float:
        """Return about the inches that the lines of a text take at `font_size`."""
        return (text.count("\n") + 1) * 1.25 * self.font_size / 72

    def length(self, text: str) -> float:
        """Return about the inches that the longest line of a text takes at `small`."""
        return max(map(len, text.split("\n"))) * 0.6 * self.small / 72

    def wrapped(self, text: str) -> str:
        """Break the lines of a text that runs across the figure."""
        width = int(self.width * 72 / (0.56 * self.font_size))
        return "\n".join(textwrap.fill(line, width) for line in text.split("\n"))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Set matplotlib's defaults within the block, whatever the user's own are."""
        settings: Any = {
            "font.family": FONT,
            "font.size": self.font_size,
            "axes.titlesize": self.font_size,
            "axes.labelsize": self.font_size,
            "xtick.labelsize": self.small,
            "ytick.labelsize": self.small,
            "legend.fontsize": self.small,
            "legend.title_fontsize": self.small,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.linewidth": 0.6,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "legend.frameon": False,
            "pdf.fonttype": 42,  # TrueType, which publishers ask for
            "savefig.dpi": self.dpi,
            "figure.dpi": self.dpi,
        }
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(settings)
            yield


def legible_on(colour: tuple[float, ...]) -> str:
    """Return black or white, by the relative luminance of a colour (RGBA, 0 to 1)."""
    linear = np.array(colour[:3]) ** 2.2
    return BLACK if linear @ [0.2126, 0.7152, 0.0722] > 0.25 else "white"


def name_block(axes: Axes, name: str, first: float, style: Style) -> None:
    """Write the name of a block of rows above its first one, where it has no room beside them.

    It runs over the panels: they make no room for it, and those behind `axes` become transparent so as not to cover it.
    """
    written = axes.annotate(
        name, (0, first - 0.6), (4, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points", va="bottom",
        fontsize=style.small, annotation_clip=False, path_effects=[withStroke(linewidth=2, foreground="white")],
    )  # fmt: skip
    written.set_in_layout(False)
    for other in axes.get_figure(root=True).axes:  # type: ignore[union-attr]
        other.patch.set_visible(other is axes)


def save(figure: Figure, pdf: str | Path, png: str | Path, style: Style | None = None) -> None:
    """Write both files whole; the same figure gives the same bytes (no date in the PDF)."""
    style = style or Style()
    with style.applied():
        with atomic_file(pdf) as partial:
            figure.savefig(partial, format="pdf", metadata={"CreationDate": None})
        with atomic_file(png) as partial:
            figure.savefig(partial, format="png", dpi=style.dpi)


def looks(labels: Labels, results: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Return colour and marker of each mask set, by its place in the study; by `method`, random sets are grey and a set
    of all neurons is black.

    Raises:
        ResultsError: more mask sets than can be told apart.
    """
    of_method = results.drop_duplicates("label").set_index("label")["method"]
    random, every = (set(of_method[of_method == method].index) for method in REFERENCES)
    named = [label for label in labels.mask_sets if label not in random | every]
    if len(named) > len(COLOURS) * len(MARKERS):
        raise ResultsError(
            f"{len(named)} mask sets: the figures can tell {len(COLOURS) * len(MARKERS)} apart"
        )
    drawn = [label for label in labels.mask_sets if label in random]
    looks = {label: (GREY, OF_RANDOM[place % len(OF_RANDOM)]) for place, label in enumerate(drawn)}
    looks |= dict.fromkeys(every, (BLACK, OF_ALL))
    looks |= {label: look_of(place) for place, label in enumerate(named)}
    return looks


def look_of(place: int) -> tuple[str, str]:
    """Return colour and marker of the one at a place, from 0; as many differ as there are colours times markers."""
    turn, colour = divmod(place, len(COLOURS))
    return COLOURS[colour], MARKERS[(colour + turn) % len(MARKERS)]
