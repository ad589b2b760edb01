"""Perplexity against sums by hand, and held-out documents that no relevance was measured on."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from crane.artefacts import ArtefactError
from crane.corpora.chunks import tokenise
from crane.corpora.documents import CorpusError
from crane.corpora.held_out import held_out
from crane.corpora.sampling import sample
from crane.figures.perplexity import perplexity_heatmap
from crane.scores.perplexity import summarise
from crane.tables.matrices import drop_matrix, perplexity_matrix
from crane.tables.rendering import render
from test_tables import BASE, LANGUAGES, labels, study

DOCUMENTS = 30


def documents(seed=0):
    """Log-likelihoods of 30 documents per language; a mask makes its own language's less likely."""
    rng = np.random.default_rng(seed)
    frames = []
    for language in LANGUAGES:
        tokens = rng.integers(5, 60, DOCUMENTS)
        plain = -tokens * rng.gamma(20, 0.1, DOCUMENTS)
        conditions = [("original", "none", 1.0)]
        for code in LANGUAGES:
            conditions.append(("crane", code, 1.3 if code == language else 1.01))
            conditions += [(f"random-{s}", code, 1.05 + 0.1 * s) for s in range(2)]
        for mask_set, code, factor in conditions:
            frames.append(pd.DataFrame({
                "model": BASE, "mask_set": mask_set, "mask_language": code, "language": language,
                "sample_id": range(DOCUMENTS), "text_sha256": [f"{language}{i}" for i in range(DOCUMENTS)],
                "tokens": tokens, "log_likelihood": plain * factor,
            }))  # fmt: skip
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def table():
    found = summarise(documents(), resamples=500)
    found.insert(2, "label", found["mask_set"].str.replace(r"-\d", "", regex=True))
    found.insert(3, "method", found["label"])
    return found


def test_perplexity_by_hand(table):
    own = documents()
    for row in table.to_dict("records"):
        here = own[(own["mask_set"] == row["mask_set"]) & (own["mask_language"] == row["mask_language"])]
        here = here[here["language"] == row["language"]]
        assert row["perplexity"] == pytest.approx(
            np.exp(-here["log_likelihood"].sum() / here["tokens"].sum())
        )
        assert (row["documents"], row["tokens"]) == (DOCUMENTS, here["tokens"].sum())
        assert row["low"] < row["perplexity"] < row["high"]
        assert row["ratio_low"] <= row["log_ratio"] + 1e-6 and row["log_ratio"] <= row["ratio_high"] + 1e-6
    original = table[table["mask_set"] == "original"]
    assert (original[["log_ratio", "ratio_low", "ratio_high"]].abs() < 1e-6).all(axis=None)


def test_the_ratio_is_paired(table):
    """A mask that scales every log-likelihood alike changes the ratio by little, whatever the documents."""
    row = table[(table["mask_set"] == "crane") & (table["mask_language"] == table["language"])].iloc[0]
    plain = table[(table["mask_set"] == "original") & (table["language"] == row["language"])].iloc[0]
    assert row["log_ratio"] == pytest.approx(0.3 * np.log(plain["perplexity"]))
    width = np.log(plain["high"]) - np.log(plain["low"])
    assert row["ratio_high"] - row["ratio_low"] == pytest.approx(0.3 * width, rel=1e-3)


def test_what_is_missing_or_differs_is_told():
    whole = documents()
    with pytest.raises(ArtefactError, match=r"'en' texts.*a document lacks a mask"):
        summarise(whole.drop(index=3), resamples=100)
    with pytest.raises(ArtefactError, match="no results without a mask"):
        summarise(whole[whole["mask_set"] != "original"], resamples=100)
    other = whole.copy()
    other.loc[3, "tokens"] += 1
    with pytest.raises(ArtefactError, match="documents differ between masks"):
        summarise(other, resamples=100)


def test_the_matrix_shows_ratios_and_the_seeds_range(table):
    shown = labels("crane", "random")
    matrix = perplexity_matrix(table, shown, BASE, 500)
    assert matrix.cells.shape == (1 + 2 * 3, 2 + 3)
    values = table.set_index(["mask_set", "mask_language", "language"])
    first = matrix.cells.iloc[0]
    for code, name in LANGUAGES.items():
        assert first["Texts", name] == f"{values.loc[('original', 'none', code), 'perplexity']:.2f}"
        own = matrix.cells[(matrix.cells["", "Method"] == "CRANE") & (matrix.cells["", "Mask"] == code)]
        ratio = np.exp(values.loc[("crane", code, code), "log_ratio"])
        assert own["Texts", name].item().startswith(f"× {ratio:.3f} [")
        drawn = matrix.cells[
            (matrix.cells["", "Method"] == "Random (2 seeds)") & (matrix.cells["", "Mask"] == code)
        ]
        both = [np.exp(values.loc[(f"random-{s}", code, code), "log_ratio"]) for s in range(2)]
        mean = np.sqrt(both[0] * both[1])
        assert drawn["Texts", name].item() == f"× {mean:.3f} [{both[0]:.3f}, {both[1]:.3f}]‡"
    for form in ("csv", "md", "tex", "txt"):
        assert render(matrix, form)


def test_the_heatmap_draws_the_ratios(table):
    shown = labels("lape", "crane", "random")  # no results for LAPE: it is left out
    figure = perplexity_heatmap(table, shown, BASE)
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in panels] == ["CRANE", "Random (2 seeds)"]
    values = table.set_index(["mask_set", "mask_language", "language"])["log_ratio"]
    for row, mask in enumerate(LANGUAGES):
        for column, text in enumerate(LANGUAGES):
            drawn = panels[0].images[0].get_array()[row, column]
            assert drawn == pytest.approx(values["crane", mask, text])
    assert len(panels[0].patches) == 3  # the framed diagonal


def test_the_matrix_of_drops_has_every_mask_and_benchmark():
    scores, _ = study()
    scores = scores.assign(drop_low=scores["drop"] - 0.01, drop_high=scores["drop"] + 0.01)
    matrix = drop_matrix(scores, labels("lape", "crane", "random"), BASE, "exam", 10_000)
    assert matrix.cells.shape == (3 * 3, 2 + 3)
    own = scores[(scores["label"] == "crane") & (scores["mask_language"] == "zh")].set_index("benchmark")
    row = matrix.cells[(matrix.cells["", "Method"] == "CRANE") & (matrix.cells["", "Mask"] == "zh")]
    drop = own.loc["ceval", "drop"]
    assert row["", "C-Eval (zh)"].item() == f"{drop:+.4f} [{drop - 0.01:.3f}, {drop + 0.01:.3f}]"
    assert matrix.cells["", "MMLU (en)"].str.endswith("‡").sum() == 3


# Held-out documents ---------------------------------------------------------------------------------------


def test_held_out_documents_follow_the_sample_and_never_overlap(tokenizer):
    texts = [f"The capital of France is Paris {number}." for number in range(300)]
    texts[40] = "."
    relevance = tokenise(sample(iter(texts), 120, 5).texts, tokenizer, 16, 100, "en")
    used = relevance["text_sha256"].tolist()
    longer = sample(iter(texts), 200, 5).texts
    found = held_out(longer, tokenizer, 8, 60, used, "en")
    assert list(found["sample_id"]) == list(range(60))
    assert found["input_ids"].map(len).max() <= 8
    assert not set(found["text_sha256"]) & set(used)
    order = [hashlib.sha256(text.encode()).hexdigest() for text in longer]
    assert [*used, *found["text_sha256"]] == [sha for sha in order if sha in {*used, *found["text_sha256"]}]
    assert max(map(order.index, used)) < min(map(order.index, found["text_sha256"]))


def test_too_few_documents_name_the_key(tokenizer):
    texts = [f"The capital is Paris {number}." for number in range(30)]
    used = tokenise(texts, tokenizer, 16, 20, "vi")["text_sha256"].tolist()
    with pytest.raises(
        CorpusError, match=r"of 'vi': perplexity\.documents asks for 11 beside the 20.*30 usable"
    ):
        held_out(texts, tokenizer, 16, 11, used, "vi")
