"""Table of the texts: documents, samples, what was left out, and their lengths per language."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from crane.corpora.lengths import QUANTILES
from crane.results.cells import integer
from crane.results.labels import Labels
from crane.results.lengths import length_warning
from crane.tables.rendering import Table

RELEVANCE, HELD_OUT = "relevance", "perplexity"
COUNTS = {
    "read": "Read", "empty": "Blank", "duplicate": "Equal", "near_duplicate": "Alike", "documents": "Used",
    "short": "Too short", "longer": "Longer",
}  # fmt: skip
"""Metadata of a corpus -> column."""


def corpus_table(
    corpora_facts: Mapping[str, Mapping[str, Any]],
    labels: Labels,
    *,
    sample: str,
    held_out_facts: Mapping[str, Mapping[str, Any]] | None = None,
) -> Table:
    """Return one row per use and language.

    Args:
        corpora_facts: language -> metadata of the samples of relevance, as `sample_texts.py` writes them.
        labels: of the study.
        sample: how those are cut: window, pack or document.
        held_out_facts: the same of the texts of perplexity, if it is measured.
    """
    uses = {RELEVANCE: corpora_facts, HELD_OUT: held_out_facts or {}}
    tidy = pd.DataFrame(
        [
            _row(use, language, facts[language])
            for use, facts in uses.items()
            for language in labels.languages
            if language in facts
        ]
    )
    cells = pd.DataFrame({("", "Use"): tidy["use"], ("", "Language"): tidy["language"].map(labels.languages)})
    for column, heading in COUNTS.items():
        cells["Documents", heading] = tidy[column].map(integer)
    cells["", "Samples"] = tidy["samples"].map(integer)
    cells["", "Characters per token"] = tidy["characters_per_token"].map("{:.2f}".format)
    for kind in ("document", "sample"):
        for quantile in QUANTILES:
            cells[f"Tokens of a {kind}", _heading(quantile)] = tidy[_column(kind, quantile)].map(integer)
    notes = [
        f"Use: relevance (corpora.sample: {sample})"
        + (
            ", perplexity (held-out documents, each cut to perplexity.max_tokens)." if held_out_facts else "."
        ),
        "Documents: all that were read; left out as blank, as equal to another one (counted among those drawn), as "
        "alike (near-duplicates, corpora.near_duplicates); those used, in a random order until there were enough "
        "samples, among them the too short ones (left out) and those longer than a sample, whose rest is not read.",
        "Tokens: quantiles; of a document without BOS, of a sample with it. Documents: those used.",
    ]
    if warning := length_warning(corpora_facts):
        notes.append(warning)
    return Table("Texts: documents, samples and their lengths per language.", tidy, cells, notes)


def _row(use: str, language: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    lengths = {"document": facts["document_lengths"], "sample": facts["lengths"]}
    return {
        "use": use, "language": language, **{key: facts[key] for key in COUNTS}, "samples": facts["samples"],
        "tokens": facts["tokens"], "characters_per_token": facts["characters"] / facts["document_tokens"],
        **{
            _column(kind, quantile): value
            for kind, quantiles in lengths.items()
            for quantile, value in zip(QUANTILES, quantiles, strict=True)
        },
    }  # fmt: skip


def _column(kind: str, quantile: float) -> str:
    return f"{kind}_tokens_{100 * quantile:g}"


def _heading(quantile: float) -> str:
    return "min" if quantile == 0 else "max" if quantile == 1 else f"{100 * quantile:g}%"
