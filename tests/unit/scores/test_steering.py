"""Scores of steering by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from crane.artefacts import ArtefactError
from crane.evaluation.steered import COLUMNS
from crane.names import NO_MASK, ORIGINAL
from crane.scores.steering import KINDS, language_kind, summarise

PAIRS = [["en", "zh"], ["zh", "en"]]


def identify(text: str, asked: str) -> str | None:
    """The text is its language."""
    return text or None


def answers(*rows: tuple[str, str, str, list[str]]) -> pd.DataFrame:
    made = [
        [mask_set, asked, target, number, text, "stop"]
        for mask_set, asked, target, texts in rows
        for number, text in enumerate(texts)
    ]
    return pd.DataFrame(made, columns=COLUMNS["answers"])


ANSWERS = answers(
    (ORIGINAL, "en", NO_MASK, ["en", "en", "en", ""]),
    (ORIGINAL, "zh", NO_MASK, ["zh", "zh", "en", "fr"]),
    ("a", "en", "zh", ["zh", "zh", "fr", ""]),
    ("a", "zh", "en", ["zh", "zh", "zh", "zh"]),
)
KNOWN = pd.DataFrame(
    [
        [ORIGINAL, "en", "zh", 0, -1.0, -4.0], [ORIGINAL, "en", "zh", 1, -2.0, -3.0],
        [ORIGINAL, "en", "zh", 2, -2.0, -2.0], ["a", "en", "zh", 0, -2.0, -4.0], ["a", "en", "zh", 1, -2.0, -6.0],
        ["a", "en", "zh", 2, -2.0, -2.0],
    ],
    columns=COLUMNS["known"],
)  # fmt: skip
TEXTS = pd.DataFrame(
    [
        *([ORIGINAL, language, NO_MASK, language, n, 10 * (n + 1), -20.0 * (n + 1)] for language in ("en", "zh", "vi")
          for n in range(2)),
        *(["a", "en", "zh", language, n, 10 * (n + 1), -20.0 * (n + 1) - lost]
          for language, lost in (("en", 6.0), ("zh", 3.0), ("vi", 1.5)) for n in range(2)),
        *(["a", "zh", "en", language, n, 10 * (n + 1), -20.0 * (n + 1)] for language in ("en", "zh", "vi")
          for n in range(2)),
    ],
    columns=COLUMNS["texts"],
)  # fmt: skip


def summary(**changed: Any) -> pd.DataFrame:
    frames = {"answers": ANSWERS, "known": KNOWN, "texts": TEXTS} | changed
    return summarise(*frames.values(), PAIRS, identify).set_index(["mask_set", "asked", "target"])


def test_an_answer_is_in_one_of_four_kinds() -> None:
    assert [language_kind(code, "en", "zh") for code in ("zh", "en", "fr", None)] == list(KINDS)


def test_every_answer_counts_and_shares_sum_to_one() -> None:
    table = summary()
    shares = table[[f"{kind}_share" for kind in KINDS]]
    assert shares.loc["a", "en", "zh"].tolist() == [0.5, 0, 0.25, 0.25]
    assert shares.loc["a", "zh", "en"].tolist() == [0, 1, 0, 0]
    assert shares.loc[ORIGINAL, "en", "zh"].tolist() == [0, 0.75, 0, 0.25]
    assert shares.loc[ORIGINAL, "zh", "en"].tolist() == [0.25, 0.5, 0.25, 0]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (table["n"] == 4).all()


def test_the_interval_is_wilsons() -> None:
    """For k of n: (k + z²/2 ± z √(k (n - k) / n + z²/4)) / (n + z²)."""
    row, z = summary().loc["a", "en", "zh"], 1.959963984540054
    half = z * np.sqrt(2 * 2 / 4 + z**2 / 4)
    expected = [(2 + z**2 / 2 + sign * half) / (4 + z**2) for sign in (-1, 1)]
    np.testing.assert_allclose([row["target_low"], row["target_high"]], expected, rtol=1e-6)


def test_known_answers_are_compared_with_the_unmasked_model() -> None:
    """δ = log P(target) − log P(asked): −3, −1, 0 before and −2, −4, 0 after; only the first has moved there."""
    table = summary()
    row = table.loc["a", "en", "zh"]
    assert (row["known"], row["shift_share"]) == (3, pytest.approx(1 / 3))
    assert row["shift"] == pytest.approx((1 - 3 + 0) / 3)
    assert table.loc["a", "zh", "en"]["known"] == 0 and np.isnan(table.loc["a", "zh", "en"]["shift_share"])
    assert np.isnan(table.loc[ORIGINAL, "en", "zh"]["shift_share"])


def test_losses_are_per_token_over_all_texts_of_a_language() -> None:
    row = summary().loc["a", "en", "zh"]
    assert row[["target_loss", "asked_loss", "other_loss"]].tolist() == pytest.approx(
        [6 / 30, 12 / 30, 3 / 30]
    )
    assert summary().loc["a", "zh", "en"]["target_loss"] == 0
    assert (summary().loc[ORIGINAL][["target_loss", "asked_loss", "other_loss"]] == 0).all(axis=None)


def test_what_was_not_measured_is_undefined() -> None:
    table = summary(known=KNOWN[:0], texts=TEXTS[:0])
    assert table[["shift_share", "target_loss", "asked_loss", "other_loss"]].isna().all(axis=None)
    two = summary(texts=TEXTS[TEXTS["language"] != "vi"])
    assert two["other_loss"].isna().all() and two["target_loss"].notna().all()


def test_results_without_their_counterpart_are_refused() -> None:
    with pytest.raises(ArtefactError, match="a: no answers steered from zh to en"):
        summary(answers=ANSWERS[ANSWERS["target"] != "en"])
    with pytest.raises(ArtefactError, match="known answers, en to zh: none without steering"):
        summary(known=KNOWN[1:])
    with pytest.raises(ArtefactError, match="texts in 'en': none without steering"):
        summary(texts=TEXTS[1:])
