"""The paper's published numbers beside a run's own, cell by cell."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from crane.names import NO_MASK, ORIGINAL
from crane.results.frames import f1_rows, score_rows
from crane.results.labels import Labels
from crane.scores.langspec_f1 import langspec_f1

LANGSPEC_F1 = "LangSpec-F1"


ROUNDING = 0.001
"""A printed F1 that differs by more from the one that follows from the printed scores is an erratum: rounding of the
scores alone moves it by 0.0004 at most (method, section 8)."""


WORST = {"nlu": 0.25, "open": 1.0}
"""What the score of a destroyed model falls to: chance among four choices, the judge's lowest."""


MODELS = {"llama2-7b-base": "LLaMA-2-7B", "llama2-7b-chat": "LLaMA-2-7B-Chat"}


METHODS = {"lape": "LAPE", "crane": "CRANE", "random": "Random"}


BENCHMARKS = {
    "mmlu": "MMLU", "ceval": "C-Eval", "belebele_vi": "Belebele (vi)",
    "open_en": "Open (en)", "open_zh": "Open (zh)", "open_vi": "Open (vi)",
}  # fmt: skip


def printed(scores: pd.DataFrame, f1: pd.DataFrame) -> pd.DataFrame:
    """Return the published cells: model, method, mask_language, measure, kind, paper, and for LangSpec-F1 two more.

    `measure` is a benchmark or `LANGSPEC_F1`; `follows` is the F1 that follows from the printed scores; `destroyed` the
    one of a model all of whose printed scores fall to `WORST` (method, section 12).

    Args:
        scores: the paper's scores (`resources/published/scores.csv`).
        f1: its LangSpec-F1 (`resources/published/langspec_f1.csv`).
    """
    cells = scores.rename(columns={"evaluated_model": "model", "benchmark": "measure", "score": "paper"})
    cells = cells.assign(kind=cells["table"].map({"table2": "open", "table4": "open"}).fillna("nlu"))
    results = f1.rename(columns={"evaluated_model": "model", "langspec_f1": "paper"})
    kind_of = cells.drop_duplicates("table").set_index("table")["kind"]
    results = results.assign(kind=results["table"].map(kind_of))
    follows, destroyed = [], []
    for row in results.itertuples():
        on_model = cells[(cells["table"] == row.table) & (cells["model"] == row.model)]
        before, after = (
            on_model[(on_model["method"] == method) & (on_model["mask_language"] == language)]
            .set_index("benchmark_language")["paper"]
            .to_dict()
            for method, language in ((ORIGINAL, NO_MASK), (row.method, row.mask_language))
        )
        follows.append(langspec_f1(before, after, row.mask_language).f1)
        worst = dict.fromkeys(before, WORST[str(row.kind)])
        destroyed.append(langspec_f1(before, worst, row.mask_language).f1)
    results = results.assign(measure=LANGSPEC_F1, follows=follows, destroyed=destroyed)
    columns = ["model", "method", "mask_language", "measure", "kind", "paper", "follows", "destroyed"]
    return pd.concat([cells.assign(follows=np.nan, destroyed=np.nan), results], ignore_index=True)[columns]


def beside(
    published: pd.DataFrame,
    scores: pd.DataFrame,
    langspec_f1: pd.DataFrame,
    labels: Labels,
    mapping: Mapping[str, Any],
    *,
    model: str,
    suite: str,
) -> pd.DataFrame:
    """Join the published cells to a run's: one row per mask and measure that both have.

    Args:
        published: from `printed`.
        scores: the run's.
        langspec_f1: the run's.
        labels: what the run calls things.
        mapping: `models`, `mask_sets` and `benchmarks`: the run's name -> the paper's.
        model: of the run.
        suite: of the run.

    Returns:
        label, mask_language, benchmark (None for LangSpec-F1), measure (the paper's), paper, follows, destroyed, rerun,
        low, high, seeds, interval, distinguishable (of LangSpec-F1), inside (the published value lies in the
        interval; None without one), erratum.
    """
    names = {ORIGINAL: ORIGINAL, **mapping["mask_sets"]}
    chosen = labels.only(names)
    measured = score_rows(scores, chosen, [model], suite).rename(columns={"score": "rerun"})
    measured = measured[measured["benchmark"].isin(mapping["benchmarks"])]
    measured = measured.assign(measure=measured["benchmark"].map(mapping["benchmarks"]))
    effects = f1_rows(langspec_f1, chosen, [model], suite)
    effects = effects.assign(rerun=effects["f1"], measure=LANGSPEC_F1, benchmark=None)
    columns = ["label", "mask_language", "benchmark", "measure", "rerun", "low", "high", "seeds", "interval"]
    rows = pd.concat(
        [measured[columns], effects[[*columns, "distinguishable"]].astype({"benchmark": object})],
        ignore_index=True,
    )
    rows["method"] = rows["label"].map(names)
    kind = labels.kind_of(suite)
    paper = published[(published["model"] == mapping["models"][model]) & (published["kind"] == kind)]
    keys = ["method", "mask_language", "measure"]
    rows = rows.merge(
        paper[[*keys, "paper", "follows", "destroyed"]], on=keys, how="inner", validate="many_to_one"
    )
    bounded = rows["low"].notna()
    inside = (rows["low"] <= rows["paper"]) & (rows["paper"] <= rows["high"])
    rows["inside"] = inside.astype(object).where(bounded, None)
    rows["erratum"] = (rows["paper"] - rows["follows"]).abs() > ROUNDING
    return rows


def comparison(labels: Labels, mapping: Mapping[str, Any], model: str) -> str:
    """Return which models are compared, in one sentence.

    Args:
        labels: what the run calls things.
        mapping: `models` (the run's name -> the paper's) and `same_model`.
        model: of the run.
    """
    theirs = MODELS[mapping["models"][model]]
    if mapping["same_model"]:
        return f"Model: {theirs}, as in the paper"
    return f"The model differs: this run measured {labels.models[model]}, the paper {theirs}"


def heading(labels: Labels, mapping: Mapping[str, Any], model: str) -> list[str]:
    """Return what must be said of the comparison: the models, and what stands for what; arguments as `comparison`."""
    sentence = f"{comparison(labels, mapping, model)}."
    if not mapping["same_model"]:
        sentence += " The numbers are not expected to agree; they show the form of the comparison."
    pairs = [
        f"{labels.mask_sets[name]} for the paper's {METHODS[paper]}"
        for name, paper in mapping["mask_sets"].items()
    ]
    pairs += [
        f"{labels.benchmarks[name]['label']} for {BENCHMARKS[paper]}"
        for name, paper in mapping["benchmarks"].items()
    ]
    return [sentence, f"What stands for what: {', '.join(pairs)}."]


def against_destroyed(rows: pd.DataFrame, kind: str) -> list[str]:
    """Say which printed LangSpec-F1 a destroyed model reaches.

    Args:
        rows: from `beside`.
        kind: of the suite, `nlu` or `open`.
    """
    effects = rows[rows["destroyed"].notna()].drop_duplicates(["method", "mask_language"])
    if effects.empty:
        return []
    beaten = effects[effects["paper"] <= effects["destroyed"]]
    named = ", ".join(f"{METHODS[row.method]} {row.mask_language}" for row in beaten.itertuples())
    fall = f"chance ({WORST['nlu']:g})" if kind == "nlu" else f"the judge's lowest ({WORST['open']:g})"
    return [
        f"Destroyed: the LangSpec-F1 of a model whose scores all fall from the paper's unmasked ones to {fall}. "
        f"{len(beaten)} of {len(effects)} printed values are not above it" + (f": {named}." if named else ".")
    ]


def errata(rows: pd.DataFrame) -> list[str]:
    """Say which printed LangSpec-F1 do not follow from the printed scores."""
    wrong = rows[rows["erratum"]].drop_duplicates(["method", "mask_language"])
    if wrong.empty:
        return []
    said = ", ".join(
        f"{METHODS[row.method]} {row.mask_language}: {row.follows:.4f} instead of {row.paper:.4f}"
        for row in wrong.itertuples()
    )
    return [
        f"§ Erratum of the paper: the printed LangSpec-F1 does not follow from its printed scores ({said})."
    ]
