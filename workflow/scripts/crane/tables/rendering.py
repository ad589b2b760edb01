"""How every table looks: its two shapes, its cells, and the forms in which it is written.

Every table exists twice: `tidy` holds all numbers, one observation a row (the CSV), and `cells` the paper's
shape as text (Markdown, LaTeX, terminal, HTML).
"""

import re
import textwrap
from collections.abc import Sequence
from html import escape
from itertools import groupby, zip_longest
from typing import Any, NamedTuple, cast

import pandas as pd

from crane.artefacts import write_text
from crane.names import TABLE_FORMS

TERMINAL_WIDTH = 120
STYLE_SHEET = (
    "body{font:14px sans-serif;margin:1em}caption{text-align:left;font-weight:bold;padding:.5em 0}"
    "table{border-collapse:collapse}thead{border-bottom:2px solid}td,th{padding:.2em .8em;text-align:right;"
    "white-space:nowrap}td:nth-child(-n+2),tr:last-child th:nth-child(-n+2){text-align:left}"
    "th[colspan]{text-align:center}tbody tr:nth-child(even){background:#f3f3f3}ul{max-width:60em}"
)
LATEX = str.maketrans(
    {character: "\\" + character for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "–": "--", "±": r"\ensuremath{\pm}"}
    | {"§": r"\S{}", "¶": r"\P{}", "†": r"\textdagger{}", "‡": r"\textdaggerdbl{}", "−": r"\ensuremath{-}"}
)


class Table(NamedTuple):
    """One table in both shapes, ready for `render`."""

    title: str
    tidy: pd.DataFrame
    cells: pd.DataFrame  # text; columns are pairs (group, name), the group empty where there is none
    notes: list[str]
    keys: int = 2
    """How many of the first columns say what a row is about: left-aligned, and repeated where a table is broken."""
    text: Sequence[str] = ()
    """What the table says, in sentences; below the notes."""


# Forms --------------------------------------------------------------------------------------------------


def render(table: Table, name: str, form: str) -> str:
    """Return a table called `name` as `csv` (tidy), `md`, `tex` (booktabs, full width), `txt` (terminal) or `html`.

    Raises:
        ValueError: another form is asked for.
    """
    if form == "csv":
        return table.tidy.to_csv(index=False, float_format="%.10g", lineterminator="\n")
    if form == "tex":
        return _latex(table, name)
    title = re.sub(r"^table(\d+).*$", r"Table \1. ", name).replace(name, "") + table.title
    pairs = _headings(table.cells)
    if form == "md":
        names = [f"{group}: {column}" if group else column for group, column in pairs]
        flat = table.cells.set_axis(names, axis=1).map(lambda cell: cell.replace("|", r"\|"))
        sides = ["left"] * table.keys + ["right"] * (len(names) - table.keys)
        body = flat.to_markdown(index=False, disable_numparse=True, colalign=sides)
        return f"**{title}**\n\n{body}\n\n" + "".join(f"- {line}\n" for line in (*table.notes, *table.text))
    if form == "txt":
        wrapped = (textwrap.fill(text, TERMINAL_WIDTH) + "\n" for text in (title, *table.notes, *table.text))
        return f"{next(wrapped)}\n{_terminal(table.cells, table.keys)}\n" + "".join(wrapped)
    if form == "html":
        return _html(title, name, table, pairs)
    raise ValueError(f"form {form!r}: expected {', '.join(TABLE_FORMS)}")


def write_forms(table: Table, name: str, paths: Any) -> None:
    """Write a table in all its forms.

    Args:
        table: the table.
        name: of its files, and of the LaTeX label.
        paths: form -> path; of `TABLE_FORMS`.
    """
    for form in TABLE_FORMS:
        write_text(render(table, name, form), paths[form])


def _headings(cells: pd.DataFrame) -> list[tuple[str, str]]:
    return cast(list[tuple[str, str]], list(cells.columns))


def _terminal(cells: pd.DataFrame, keys: int) -> str:
    """Align the columns; if they are too wide for a terminal, those that fit, and below them the others."""
    parts = [list(range(keys))]
    for column in range(keys, cells.shape[1]):
        wider = [*parts[-1], column]
        lines = _aligned(cells.iloc[:, wider], keys).splitlines()
        if len(parts[-1]) > keys and max(map(len, lines)) > TERMINAL_WIDTH:
            parts.append([*range(keys), column])
        else:
            parts[-1] = wider
    return "\n".join(_aligned(cells.iloc[:, part], keys) for part in parts)


def _aligned(cells: pd.DataFrame, keys: int) -> str:
    """Align the columns with little space, headings broken to their column's width."""
    pairs = _headings(cells)
    rows = cells.to_numpy().tolist()
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    headings = (
        textwrap.wrap(column, width, break_long_words=False, break_on_hyphens=False)
        for (_, column), width in zip(pairs, widths, strict=True)
    )
    above = [list(line) for line in zip_longest(*headings, fillvalue="")]
    groups = [group if i == 0 or group != pairs[i - 1][0] else "" for i, (group, _) in enumerate(pairs)]
    above = [groups, *above] if any(groups) else above
    widths = [max(map(len, column)) for column in zip(*above, *rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) if i < keys else cell.rjust(width) for i, (cell, width) in enumerate(row))
        for row in (
            list(zip(line, widths, strict=True))
            for line in [*above, ["-" * width for width in widths], *rows]
        )
    )
    return "".join(line.rstrip() + "\n" for line in lines)


def _html(title: str, name: str, table: Table, pairs: list[tuple[str, str]]) -> str:
    """Return a page that needs nothing else: the report shows it in a frame, without network."""
    heads = []
    if any(group for group, _ in pairs):
        runs = [(group, len(list(run))) for group, run in groupby(group for group, _ in pairs)]
        heads.append("".join(f'<th colspan="{size}">{escape(group)}</th>' for group, size in runs))
    heads.append("".join(f"<th>{escape(column)}</th>" for _, column in pairs))
    rows = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in table.cells.to_numpy().tolist()]
    head, body = ("".join(f"<tr>{line}</tr>\n" for line in lines) for lines in (heads, rows))
    notes = "".join(f"<li>{escape(line)}</li>\n" for line in (*table.notes, *table.text))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(name)}</title>\n'
        f"<style>{STYLE_SHEET}</style></head>\n<body>\n<table>\n<caption>{escape(title)}</caption>\n"
        f"<thead>\n{head}</thead>\n<tbody>\n{body}</tbody>\n</table>\n<ul>\n{notes}</ul>\n</body>\n</html>\n"
    )


def _latex(table: Table, name: str) -> str:
    escaped = table.cells.map(lambda cell: cell.translate(LATEX))
    pairs = [(group.translate(LATEX), column.translate(LATEX)) for group, column in _headings(table.cells)]
    grouped = any(group for group, _ in pairs)
    escaped.columns = (
        pd.MultiIndex.from_tuples(pairs) if grouped else pd.Index([column for _, column in pairs])
    )
    styled = escaped.style.hide(axis="index").set_table_styles([{"selector": "footnotesize", "props": ":;"}])
    latex = styled.to_latex(
        hrules=True,
        column_format="l" * table.keys + "r" * (escaped.shape[1] - table.keys),
        multicol_align="c",
        environment="table*",
        position="t",
        position_float="centering",
        caption=" ".join([table.title, *table.notes]).translate(LATEX),
        label=f"tab:{name}",
    )
    return latex + "".join(f"\n{line.translate(LATEX)}\n" for line in table.text)
