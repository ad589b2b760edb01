"""The table of steering: in which language a steered model answers, and what it costs."""

import numpy as np
import pandas as pd

from crane.results.cells import NOTHING, integer, percent
from crane.results.labels import Labels
from crane.results.steering import steering_rows
from crane.scores.steering import KINDS
from crane.tables.rendering import Table

HEADINGS = {"target": "Target", "asked": "Asked", "other": "Other", "undecided": "Undecided"}


def steering_table(steering: pd.DataFrame, labels: Labels, *, how: str) -> Table:
    """Languages of the answers per pair of languages and mask set, shift of known answers, and perplexity.

    Args:
        steering: of `crane.scores.steering.summarise`, with `label` and `method`.
        labels: of the study.
        how: what is done to the neurons, in words.

    Raises:
        ResultsError: see `crane.results.steering.steering_rows`.
    """
    rows = steering_rows(steering, labels)
    cells = pd.DataFrame(
        {
            ("", "Asked → target"): [
                f"{one} → {to}" for one, to in zip(rows["asked"], rows["target"], strict=True)
            ],
            ("", "Method"): [
                labels.name(label, seeds) for label, seeds in zip(rows["label"], rows["seeds"], strict=True)
            ],
            ("Language of the answers", HEADINGS["target"]): [
                _with_bounds(*values)
                for values in zip(rows["target_share"], rows["target_low"], rows["target_high"], strict=True)
            ],
        }
    )
    for kind in KINDS[1:]:
        cells["Language of the answers", HEADINGS[kind]] = rows[f"{kind}_share"].map(percent)
    cells["Known answers", "Shifted"] = [
        _with_bounds(*values)
        for values in zip(rows["shift_share"], rows["shift_low"], rows["shift_high"], strict=True)
    ]
    for kind in KINDS[:3]:
        cells["Perplexity of texts", HEADINGS[kind]] = rows[f"{kind}_loss"].map(_ratio)
    notes = [
        f"Steering: {how}.",
        "Language of the answers: shares of all answers to the open questions of the language asked in. Undecided: too "
        "short to tell, or without a language. They are counted, not left out.",
        "Brackets: 95% Wilson interval; for several seeds the smallest and the largest seed.",
        "Shifted: share of known answers whose log P(answer in the target) − log P(answer in the language asked in) is "
        "larger than without steering. Damage alone moves answers, too, so that the random masks, not 50%, are what it "
        f"is held against. {NOTHING}: {_unknown(rows)}",
        "Perplexity of texts: ratio to that of the unmasked model, of held-out texts in the target, in the language "
        f"asked in, and (geometric mean) in the others. {NOTHING}: not measured.",
        f"Answers per pair: {integer(rows['n'].max())}; known answers at most {integer(rows['known'].max())}.",
    ]
    return Table(
        "Steering from the language asked in to a target language.",
        rows.rename(columns={"label": "mask_set"}),
        cells,
        notes,
    )


def _unknown(rows: pd.DataFrame) -> str:
    if rows["known"].max() > 0:
        return "the unmasked model, with which it is compared, or no known answers."
    return (
        "no answers are known in both languages (the open questions are not parallel, or have no references)."
    )


def _with_bounds(value: float, low: float, high: float) -> str:
    return NOTHING if pd.isna(value) else f"{percent(value)} [{percent(low)}, {percent(high)}]"


def _ratio(loss: float) -> str:
    if pd.isna(loss):
        return NOTHING
    ratio = float(np.exp(loss))
    return f"×{ratio:.2f}" if ratio < 100 else f"×{ratio:,.0f}"
