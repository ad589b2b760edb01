"""Perplexity against sums by hand."""

import numpy as np
import pytest
from crane.artefacts import ArtefactError
from crane.scores.perplexity import summarise
from support.perplexity_results import DOCUMENTS, documents, perplexities


@pytest.fixture(scope="module")
def table():
    return perplexities()


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
