"""In no figure do texts overlap, leave the canvas or disappear behind a panel, on a page or in a column."""

import importlib
import inspect
from functools import cache
from typing import Any

import pytest
from crane.figures.style import Style
from matplotlib.figure import Figure
from support.drawn_study import (
    FIGURES,
    PAPER_SIZES,
    DrawnStudy,
    demo,
    paper_with_evidence,
    parts,
    small_demo,
    small_smollm2,
)
from support.figure_text import covered, outside, overlapping, placed_texts
from support.places import SCRIPTS

STUDIES = {
    "small": lambda: DrawnStudy(small_demo()),
    "demo": lambda: DrawnStudy(demo()),
    "four languages": lambda: DrawnStudy(small_smollm2()),
    "paper": lambda: DrawnStudy(paper_with_evidence(), PAPER_SIZES),
}
drawn = cache(lambda name: STUDIES[name]())


def shapes() -> list[tuple[str, str]]:
    """Return the figures of each study that differ in their shape: a second model's are as the first one's."""
    return [(study, name) for study in STUDIES for name in drawn(study).figures() if "-chat" not in name]


@pytest.mark.parametrize("width", [6.9, 3.3], ids=["page", "column"])
@pytest.mark.parametrize(("study", "name"), shapes())
def test_every_text_has_its_place(study: str, name: str, width: float) -> None:
    style = Style(width=width, dpi=100)
    figure = drawn(study).figure(name, style)
    texts = placed_texts(figure, style)
    assert len(texts) > 10
    assert outside(figure, texts) == []
    assert covered(figure, texts) == []
    assert overlapping(figure, texts) == []


@pytest.mark.parametrize("study", ["small", "demo"])
def test_every_figure_is_among_them(study: str) -> None:
    functions = set()
    for path in (SCRIPTS / "crane" / "figures").glob("*.py"):
        module = importlib.import_module(f"crane.figures.{path.stem}".removesuffix(".__init__"))
        for name, function in inspect.getmembers(module, inspect.isfunction):
            public = function.__module__ == module.__name__ and not name.startswith("_")
            if public and inspect.signature(function).return_annotation is Figure:
                functions.add(function)
    assert functions == {FIGURES[parts(name)[0]] for name in drawn(study).figures()}
    assert len(functions) > 10


# The checks themselves ----------------------------------------------------------------------------------


STYLE = Style(dpi=100)


def checked(figure: Figure) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """Return the texts that leave the canvas or are covered, and the pairs that overlap."""
    texts = placed_texts(figure, STYLE)
    return outside(figure, texts), covered(figure, texts), overlapping(figure, texts)


def labelled(*places: tuple[float, float, str], **settings: Any) -> Figure:
    """Return a figure of 2 by 2 inches with texts at some places, from 0 to 1."""
    figure = Figure(figsize=(2, 2), dpi=100)
    for x, y, text in places:
        figure.text(x, y, text, fontsize=8, **settings)
    return figure


def test_texts_that_overlap_are_found() -> None:
    assert checked(labelled((0.1, 0.5, "first"), (0.15, 0.52, "second"))) == ([], [], [("first", "second")])
    assert checked(labelled((0.1, 0.5, "first"), (0.1, 0.6, "second"))) == ([], [], [])


def test_texts_in_a_row_need_a_space_between_them() -> None:
    """The boxes do not overlap, but the two numbers read as one."""
    (alone,) = placed_texts(labelled((0.1, 0.5, "0.123")), STYLE)
    end = alone.corners[:, 0].max() / 200

    def beside(points: float) -> Figure:
        return labelled((0.1, 0.5, "0.123"), (end + points / 144, 0.5, "0.456"))

    assert checked(beside(0.5))[2] == [("0.123", "0.456")]
    assert checked(beside(4))[2] == []


def test_turned_texts_overlap_only_where_they_do_themselves() -> None:
    turned = {"rotation": 45, "rotation_mode": "anchor"}
    apart = labelled((0.2, 0.2, "a rather long label"), (0.4, 0.2, "a rather long one"), **turned)
    assert checked(apart)[2] == [], "the boxes around them do, they do not"
    close = labelled((0.2, 0.2, "a rather long label"), (0.22, 0.2, "a rather long one"), **turned)
    assert len(checked(close)[2]) == 1


@pytest.mark.parametrize(
    ("x", "y", "rotation"), [(-0.05, 0.5, 0), (0.9, 0.5, 0), (0.5, 0.99, 0), (0.5, 0.9, 90)]
)
def test_a_text_that_leaves_the_canvas_is_found(x: float, y: float, rotation: int) -> None:
    assert checked(labelled((x, y, "a long text"), rotation=rotation))[0] == ["a long text"]
    assert checked(labelled((0.3, 0.3, "a long text"), rotation=rotation))[0] == []


def test_a_text_behind_a_panel_is_found() -> None:
    figure = Figure(figsize=(2, 2), dpi=100)
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        axes.set(xticks=[], yticks=[])
    left.annotate("a text across both", (0.2, 0.5), annotation_clip=False)
    assert checked(figure)[1] == ["a text across both"]
    right.patch.set_visible(False)
    assert checked(figure)[1] == []


def test_what_is_not_drawn_does_not_count() -> None:
    figure = labelled((0.1, 0.5, "first"))
    figure.text(0.1, 0.5, "hidden", visible=False)
    figure.text(0.1, 0.5, " ")
    assert [placed.text for placed in placed_texts(figure, STYLE)] == ["first"]
