"""Tables 1-4 of the paper and the counts of masked neurons: result frames in, tidy and readable tables out.

Every table exists twice: `tidy` holds all numbers, one observation a row (the CSV), and `cells` the paper's
shape as text (Markdown, LaTeX, terminal, HTML). Rows and columns come in the order of `Labels`.
"""

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby, product, zip_longest
from typing import Any, NamedTuple, cast

import pandas as pd

from crane.artefacts import write_text
from crane.names import NO_MASK
from crane.results import Labels, ResultsError, f1_rows, masks_of, score_rows

NOTHING = "–"
UNCLEAR = "†"
TARGET_UNCLEAR = f"{UNCLEAR}: the 95% interval of the target language's drop contains 0."
FORMS = ("csv", "md", "tex", "txt", "html")
"""Every table is written in all of them."""
LAYER_COLUMNS = 8
TERMINAL_WIDTH = 120
IN_LANGUAGE = (
    "In en, ...: share of answers in the language asked in, of those whose language can be told (three words or more, "
    "or four characters of a script without spaces); – where these are less than half."
)
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
    | {"†": r"\textdagger{}", "‡": r"\textdaggerdbl{}", "−": r"\ensuremath{-}"}
)


class Table(NamedTuple):
    """One table in both shapes, ready for `render`."""

    name: str
    title: str
    tidy: pd.DataFrame
    cells: pd.DataFrame  # text; columns are pairs (group, name), the group empty where there is none
    notes: list[str]


# ---- cells: every number is formatted here ----


def number(value: float, sd: float = math.nan) -> str:
    """Four decimals as in the paper, with the spread over seeds where there is one."""
    if pd.isna(value):
        return NOTHING
    return f"{value:.4f}" if pd.isna(sd) else f"{value:.4f} ±{sd:.3f}".replace("±0.", "±.")


def bounds(low: float, high: float, interval: str) -> str:
    """Return `[low, high]`, marked where it is the range of the seeds."""
    if pd.isna(low) or pd.isna(high):
        return NOTHING
    return f"[{low:.3f}, {high:.3f}]" + ("‡" if interval == "seeds" else "")


def percent(share: float) -> str:
    """Return a share in whole percent."""
    return NOTHING if pd.isna(share) else f"{share:.0%}"


def share(value: float) -> str:
    """Return a share in percent with one decimal."""
    return NOTHING if pd.isna(value) else f"{value:.1%}"


def flag(distinguishable: float) -> str:
    """Return † where the interval of the target language's drop contains 0, for some seed."""
    return UNCLEAR if distinguishable < 1 else ""


def whole(value: float) -> str:
    """Return a count with separators."""
    return NOTHING if pd.isna(value) else f"{value:,.0f}"


# ---- tables ----


def score_table(
    scores: pd.DataFrame,
    langspec_f1: pd.DataFrame,
    labels: Labels,
    *,
    name: str,
    suite: str,
    models: Sequence[str],
    identified_on: str,
    resamples: int,
) -> Table:
    """Tables 1-4: scores under every mask, one column per benchmark, and LangSpec-F1.

    Tables 1 and 2 are a suite of kind `nlu` and one of kind `open` on the model the neurons were identified on.
    With other `models` it is a transfer (Table 3: both models; Table 4: the transfer model), and LangSpec-F1 is
    the transfer models'.
    `resamples` is the size of the bootstrap, for the note.

    Raises:
        ResultsError: the results lack a row of the table, see `score_rows` and `f1_rows`.
    """
    scored = score_rows(scores, labels, models, suite)
    effects = f1_rows(langspec_f1, labels, models, suite)
    transferred = [model for model in models if model != identified_on]
    measured = transferred or list(models)

    mask = ["label", "mask_language"]
    columns: dict[tuple[str, str], pd.Series] = {}
    counts = effects[effects["model"] == measured[0]].set_index(mask)["neurons"]
    columns["", "Neurons"] = counts.map(whole)
    for model, benchmark in product(models, labels.benchmarks_of(suite)):
        column = scored[(scored["model"] == model) & (scored["benchmark"] == benchmark)].set_index(mask)
        group = labels.models[model] if len(models) > 1 else ""
        texts = map(number, column["score"], column["score_sd"])
        columns[group, labels.benchmarks[benchmark]["label"]] = pd.Series(texts, index=column.index)
    for model, benchmark in product(models, labels.benchmarks_of(suite) if _told(scored) else ()):
        column = scored[(scored["model"] == model) & (scored["benchmark"] == benchmark)].set_index(mask)
        group = labels.models[model] if len(models) > 1 else ""
        columns[group, f"In {labels.benchmarks[benchmark]['language']}"] = column["in_language"].map(percent)
    for model in measured:
        column = effects[effects["model"] == model].set_index(mask)
        group = labels.models[model] if len(models) > 1 else ""
        flags = column["distinguishable"].map(flag)
        columns[group, "LangSpec-F1"] = column["f1"].combine(column["f1_sd"], number) + flags
        intervals = map(bounds, column["low"], column["high"], column["interval"])
        columns[group, "95% interval"] = pd.Series(intervals, index=column.index)
        if labels.kind_of(suite) == "nlu":
            columns[group, "F1 (prob.)"] = column["f1_probability"].map(number)

    masks = pd.MultiIndex.from_tuples(masks_of(labels), names=mask)
    cells = pd.DataFrame({key: text.reindex(masks, fill_value=NOTHING) for key, text in columns.items()})
    seeds = scored.groupby("label")["seeds"].max().to_dict()
    cells.insert(0, ("", "Mask"), [NOTHING if code == NO_MASK else code for _, code in masks])
    cells.insert(0, ("", "Method"), [labels.name(label, seeds.get(label, 1)) for label, _ in masks])

    shown = " and ".join(labels.models[model] for model in models)
    title = f"{labels.title_of(suite)} results on {shown} with neurons masked."
    if transferred:
        title += f" The neurons were identified on {labels.models[identified_on]} and are masked as they are."
    tidy = _tidy(scored, effects)
    return Table(name, title, tidy, cells.reset_index(drop=True), _notes(scored, labels, suite, resamples))


def _told(scored: pd.DataFrame) -> bool:
    """Say whether the language of any answer is known."""
    return "in_language" in scored and bool(scored["in_language"].notna().any())


def _tidy(scored: pd.DataFrame, effects: pd.DataFrame) -> pd.DataFrame:
    """Join scores and LangSpec-F1: one row per model, mask and benchmark, whole numbers as such."""
    f1 = effects.drop(columns=["method", "suite", "kind", "seeds", "interval"])
    f1 = f1.rename(columns={"low": "f1_low", "high": "f1_high"})
    tidy = scored.merge(f1, on=["model", "label", "mask_language"], how="left", validate="many_to_one")
    tidy = tidy.rename(columns={"label": "mask_set"})
    return tidy.astype(dict.fromkeys(("n", "neurons", "seeds"), "Int64"))


def _notes(scored: pd.DataFrame, labels: Labels, suite: str, resamples: int) -> list[str]:
    sizes = scored.drop_duplicates("benchmark")[["benchmark", "n"]].itertuples(index=False)
    asked = ", ".join(f"{labels.benchmarks[name]['label']} {size:,.0f}" for name, size in sizes)
    notes = [f"Scores: mean {labels.measure_of(suite)}, higher is better. Questions: {asked}."]
    if labels.kind_of(suite) == "open":
        missing = int((scored["missing"] * scored["seeds"]).sum())
        notes.append(f"Scores by {labels.judge}. Answers without a score, left out: {missing}.")
        if _told(scored):
            notes.append(IN_LANGUAGE)
    notes.append(
        f"Brackets: 95% percentile bootstrap over questions, {resamples:,} resamples, the same for all masks."
    )
    if labels.kind_of(suite) == "nlu":
        notes.append("F1 (prob.): LangSpec-F1 of the mean probability of the right choice.")
    notes.append(TARGET_UNCLEAR)
    if (scored["seeds"] > 1).any():
        notes.append(
            "±: standard deviation over the seeds, beside their mean; ‡: smallest and largest seed, in place "
            "of an interval. Such a row carries † unless the drop is distinguishable for every seed."
        )
    return notes


def mask_counts(masks: Mapping[str, pd.DataFrame], labels: Labels, layers: int) -> Table:
    """Count the masked neurons per mask set, language and layer (all sites together, mean over seeds).

    `masks` maps the mask set, with its seed, to its neurons (language, layer, site, neuron), of a model with
    `layers` layers. The readable shape groups deep models into at most eight ranges of layers; the tidy one
    has every layer.

    Raises:
        ResultsError: a mask set of the study is missing.
    """
    named = {name: name if name in labels.mask_sets else name.rpartition("-")[0] for name in masks}
    if lacking := [label for label in labels.mask_sets if label not in named.values()]:
        raise ResultsError(f"masks: no file for mask set {lacking[0]!r}; found: {', '.join(masks) or 'none'}")
    seeds = pd.Series(named).value_counts().to_dict()
    neurons = pd.concat([frame.assign(label=named[name]) for name, frame in masks.items()])
    keys = ["label", "language", "layer"]
    grid = pd.MultiIndex.from_product([labels.mask_sets, labels.languages, range(layers)], names=keys)
    tidy = neurons.groupby(keys).size().reindex(grid, fill_value=0).rename("neurons").reset_index()
    tidy["seeds"] = tidy["label"].map(seeds)
    tidy["neurons"] /= tidy["seeds"]

    size = math.ceil(layers / LAYER_COLUMNS)
    starts = tidy["layer"] // size * size
    ranges = tidy.pivot_table(
        "neurons", ["label", "language"], starts.rename("layer"), aggfunc="sum", sort=False
    )
    cells = pd.DataFrame(
        {
            ("", "Method"): [labels.name(label, seeds.get(label, 1)) for label, _ in ranges.index],
            ("", "Mask"): [language for _, language in ranges.index],
            ("", "Neurons"): ranges.sum(axis=1).map(whole).array,
        }
    )
    for start in map(int, ranges.columns):
        last = min(start + size - 1, layers - 1)
        heading = f"{start}" if last == start else f"{start}–{last}"
        cells["Layer" if size == 1 else "Layers", heading] = ranges[start].map(whole).array
    notes = ["Layers are counted from 0."]
    if max(seeds.values()) > 1:
        notes.append("Rows of several seeds: mean over the seeds.")
    return Table(
        "mask_counts",
        "Neurons masked per mask set, language and layer.",
        tidy.rename(columns={"label": "mask_set"}),
        cells,
        notes,
    )


# ---- text ----


def render(table: Table, form: str) -> str:
    """Write a table as `csv` (tidy), `md`, `tex` (booktabs, across both columns), `txt` (a terminal) or `html`.

    Raises:
        ValueError: another form is asked for.
    """
    if form == "csv":
        return table.tidy.to_csv(index=False, float_format="%.10g", lineterminator="\n")
    if form == "tex":
        return _latex(table)
    title = re.sub(r"^table(\d+).*$", r"Table \1. ", table.name).replace(table.name, "") + table.title
    pairs = _headings(table.cells)
    if form == "md":
        names = [f"{group}: {name}" if group else name for group, name in pairs]
        flat = table.cells.set_axis(names, axis=1).map(lambda cell: cell.replace("|", r"\|"))
        sides = ["left", "left"] + ["right"] * (len(names) - 2)
        body = flat.to_markdown(index=False, disable_numparse=True, colalign=sides)
        return f"**{title}**\n\n{body}\n\n" + "".join(f"- {note}\n" for note in table.notes)
    if form == "txt":
        wrapped = (textwrap.fill(text, TERMINAL_WIDTH) + "\n" for text in (title, *table.notes))
        return f"{next(wrapped)}\n{_aligned(table.cells, pairs)}\n" + "".join(wrapped)
    if form == "html":
        return _html(title, table, pairs)
    raise ValueError(f"form {form!r}: expected {', '.join(FORMS)}")


def write_forms(table: Table, paths: Any) -> None:
    """Write a table in all its forms.

    Args:
        table: the table.
        paths: form -> path; of `FORMS`.
    """
    for form in FORMS:
        write_text(render(table, form), paths[form])


def _headings(cells: pd.DataFrame) -> list[tuple[str, str]]:
    return cast(list[tuple[str, str]], list(cells.columns))


def _aligned(cells: pd.DataFrame, pairs: list[tuple[str, str]]) -> str:
    """Align the columns with little space, headings broken to their column's width: a terminal is narrow."""
    rows = cells.to_numpy().tolist()
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    headings = (
        textwrap.wrap(name, width, break_long_words=False, break_on_hyphens=False)
        for (_, name), width in zip(pairs, widths, strict=True)
    )
    above = [list(line) for line in zip_longest(*headings, fillvalue="")]
    groups = [group if i == 0 or group != pairs[i - 1][0] else "" for i, (group, _) in enumerate(pairs)]
    above = [groups, *above] if any(groups) else above
    widths = [max(map(len, column)) for column in zip(*above, *rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(row))
        for row in (
            list(zip(line, widths, strict=True))
            for line in [*above, ["-" * width for width in widths], *rows]
        )
    )
    return "".join(line.rstrip() + "\n" for line in lines)


def _html(title: str, table: Table, pairs: list[tuple[str, str]]) -> str:
    """Return a page that needs nothing else: the report shows it in a frame, without network."""
    heads = []
    if any(group for group, _ in pairs):
        runs = [(group, len(list(run))) for group, run in groupby(group for group, _ in pairs)]
        heads.append("".join(f'<th colspan="{size}">{escape(group)}</th>' for group, size in runs))
    heads.append("".join(f"<th>{escape(name)}</th>" for _, name in pairs))
    rows = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in table.cells.to_numpy().tolist()]
    head, body = ("".join(f"<tr>{line}</tr>\n" for line in lines) for lines in (heads, rows))
    notes = "".join(f"<li>{escape(note)}</li>\n" for note in table.notes)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(table.name)}</title>\n'
        f"<style>{STYLE_SHEET}</style></head>\n<body>\n<table>\n<caption>{escape(title)}</caption>\n"
        f"<thead>\n{head}</thead>\n<tbody>\n{body}</tbody>\n</table>\n<ul>\n{notes}</ul>\n</body>\n</html>\n"
    )


def _latex(table: Table) -> str:
    escaped = table.cells.map(lambda cell: cell.translate(LATEX))
    pairs = [(group.translate(LATEX), name.translate(LATEX)) for group, name in _headings(table.cells)]
    grouped = any(group for group, _ in pairs)
    escaped.columns = pd.MultiIndex.from_tuples(pairs) if grouped else pd.Index([name for _, name in pairs])
    styled = escaped.style.hide(axis="index").set_table_styles([{"selector": "footnotesize", "props": ":;"}])
    return styled.to_latex(
        hrules=True,
        column_format="ll" + "r" * (escaped.shape[1] - 2),
        multicol_align="c",
        environment="table*",
        position="t",
        position_float="centering",
        caption=" ".join([table.title, *table.notes]).translate(LATEX),
        label=f"tab:{table.name}",
    )
