"""Where a figure's texts end up: those that leave the canvas, that a panel covers, and pairs that overlap."""

from io import BytesIO
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from crane.figures.style import Style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

OUTSIDE = 1.0
"""Pixels by which a text may leave the canvas."""
SPACE = 1.5
"""Points that must lie between two texts in a row: less, and they read as one word."""
LINE = 0.5
"""Points that a box is too high above and below: it has room for the tallest letters, whatever the text's are."""


class Placed(NamedTuple):
    """A text as it was drawn."""

    text: str
    corners: np.ndarray
    """`[4, 2]`, pixels."""
    axes: Axes | None
    """The panel that it belongs to."""


def placed_texts(figure: Figure, style: Style) -> list[Placed]:
    """Return every text that is drawn, with its box; called once the layout is settled, which is when a file is saved.

    Args:
        figure: the figure; it is drawn.
        style: with which it is drawn.
    """
    drawn: dict[int, Placed] = {}
    draw = Text.draw

    def record(text: Text, renderer: Any, *args: Any, **settings: Any) -> None:
        draw(text, renderer, *args, **settings)
        shown = all(artist.get_visible() for artist in (text, text.axes) if artist is not None)
        if shown and text.get_text().strip():
            drawn[id(text)] = Placed(text.get_text(), _corners(text, renderer), text.axes)

    with style.applied(), patch.object(Text, "draw", record):
        figure.savefig(BytesIO(), format="png", dpi=figure.dpi)
    return list(drawn.values())


def _corners(text: Text, renderer: Any) -> np.ndarray:
    """Return the corners of a text's box, which is turned as the text is.

    The box around a turned box has the same centre; the box's own width and height are those of the text unturned.
    """
    around = text.get_window_extent(renderer)
    plain, angle = around, text.get_rotation()
    if angle:
        text.set_rotation(0)
        plain = text.get_window_extent(renderer)
        text.set_rotation(angle)
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [plain.width / 2, plain.height / 2]
    turn = np.deg2rad(angle)
    turned = half @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    middle = np.array([around.x0 + around.x1, around.y0 + around.y1]) / 2
    return turned + middle


def outside(figure: Figure, texts: list[Placed]) -> list[str]:
    """Return the texts that leave the canvas."""
    size = figure.get_size_inches() * figure.dpi
    return [
        placed.text
        for placed in texts
        if (placed.corners < -OUTSIDE).any() or (placed.corners > size + OUTSIDE).any()
    ]


def covered(figure: Figure, texts: list[Placed]) -> list[str]:
    """Return the texts over which the background of a later panel is painted."""
    hidden = []
    for placed in texts:
        later = figure.axes[figure.axes.index(placed.axes) + 1 :] if placed.axes in figure.axes else []
        for axes in later:
            x0, y0, x1, y1 = axes.bbox.extents
            panel = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
            if axes.patch.get_visible() and axes.axison and _depth(placed.corners, panel) > OUTSIDE:
                hidden.append(placed.text)
    return hidden


def overlapping(figure: Figure, texts: list[Placed]) -> list[tuple[str, str]]:
    """Return the pairs of texts that overlap, or stand in a row with less than `SPACE` between them."""
    point = figure.dpi / 72
    boxes = np.array([_resized(placed.corners, SPACE / 2 * point, -LINE * point) for placed in texts])
    low, high = boxes.min(axis=1), boxes.max(axis=1)
    near = ((low[:, None] < high) & (low < high[:, None])).all(axis=2)  # the boxes around them overlap
    return [
        (texts[one].text, texts[other].text)
        for one, other in np.argwhere(np.triu(near, 1))
        if _depth(boxes[one], boxes[other]) > 0
    ]


def _resized(corners: np.ndarray, along: float, across: float) -> np.ndarray:
    """Return a box that is longer at each end, and higher above and below, by some pixels."""
    middle, right, up = corners.mean(axis=0), corners[1] - corners[0], corners[2] - corners[1]
    right, up = (
        side * (0.5 + more / max(float(np.linalg.norm(side)), 1e-9))
        for side, more in ((right, along), (up, across))
    )
    return np.array([middle - right - up, middle + right - up, middle + right + up, middle - right + up])


def _depth(one: np.ndarray, other: np.ndarray) -> float:
    """Return by how much two rectangles overlap, negative where they are apart (separating axes)."""
    depths = []
    for corners in (one, other):
        for side in (corners[1] - corners[0], corners[2] - corners[1]):
            length = np.linalg.norm(side)
            if length == 0:
                continue
            axis = side / length
            first, second = one @ axis, other @ axis
            depths.append(min(first.max(), second.max()) - max(first.min(), second.min()))
    return float(min(depths))
