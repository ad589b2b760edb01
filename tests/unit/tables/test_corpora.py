"""The table of the texts, and the warning that every table carries if samples differ in length."""

import pytest
from crane.corpora.lengths import length_quantiles
from crane.results.labels import Labels
from crane.results.lengths import length_warning
from crane.tables.corpora import corpus_table
from crane.tables.rendering import render

LABELS = Labels({"en": "English", "zh": "Chinese"})


def facts(lengths: list[int], **counts: int) -> dict[str, object]:
    """Return the metadata of a corpus whose samples have these lengths, from documents of twice as many tokens."""
    documents = [2 * length for length in lengths]
    return {
        "read": 90, "empty": 1, "duplicate": 2, "near_duplicate": 3, "short": 4, "longer": 5,
        "documents": len(documents), "document_tokens": sum(documents), "characters": 5 * sum(documents),
        "document_lengths": length_quantiles(documents), "samples": len(lengths), "tokens": sum(lengths),
        "lengths": length_quantiles(lengths), **counts,
    }  # fmt: skip


def test_counts_and_quantiles_per_language() -> None:
    corpora = {"en": facts([10] * 20), "zh": facts([10] * 20, near_duplicate=77)}
    held_out = {"en": facts(list(range(1, 102))), "zh": facts([8, 9])}
    table = corpus_table(corpora, LABELS, sample="window", held_out_facts=held_out)
    cells = table.cells.set_index([("", "Use"), ("", "Language")])
    assert list(cells.index) == [
        ("relevance", "English"), ("relevance", "Chinese"), ("perplexity", "English"), ("perplexity", "Chinese")
    ]  # fmt: skip
    chinese = cells.loc[("relevance", "Chinese")]
    assert chinese["Documents"].tolist() == ["90", "1", "2", "77", "20", "4", "5"]
    assert chinese["", "Samples"] == "20" and chinese["", "Characters per token"] == "5.00"
    assert cells.loc[("perplexity", "English")]["Tokens of a sample"].tolist() == [
        "1",
        "6",
        "26",
        "51",
        "76",
        "96",
        "101",
    ]
    assert table.tidy["document_tokens_95"].tolist() == pytest.approx([20, 20, 192, 17.9])
    assert "Warning" not in render(table, "corpora", "md")


def test_samples_of_unequal_length_are_named() -> None:
    assert length_warning({}) is None
    assert length_warning({"en": facts([10, 10]), "zh": facts([10, 10])}) is None
    said = length_warning({"en": facts([512, 512]), "zh": facts([512, 40, 40])})
    assert said and "median tokens: en 512, zh 40" in said and "; zh has shorter ones" in said
    within = length_warning({"en": facts([9, 512, 512]), "zh": facts([512, 512])})
    assert within and "the shorter ones have" in within
    table = corpus_table({"en": facts([9, 10]), "zh": facts([10])}, LABELS, sample="document")
    assert table.notes[-1].startswith("Warning: the samples from which neurons are selected differ in length")
