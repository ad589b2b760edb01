"""Matrices mask language by language: drops on a suite's benchmarks, and perplexity ratios on held-out texts."""

import numpy as np
import pandas as pd

from crane.names import NO_MASK, ORIGINAL
from crane.results.cells import NOTHING, UNCLEAR, bounds
from crane.results.frames import asked_questions, score_rows
from crane.results.labels import Labels
from crane.results.perplexity import perplexity_rows
from crane.tables.rendering import Table

SEEDS = "‡: smallest and largest seed of a random mask set, in place of an interval; the value is the mean."


def drop_matrix(scores: pd.DataFrame, labels: Labels, model: str, suite: str, resamples: int) -> Table:
    """Return the signed drops of one model on one suite: a row per mask, a column per benchmark, with intervals.

    Raises:
        ResultsError: the results lack a row, see `crane.results.frames.score_rows`.
    """
    rows = score_rows(scores, labels, [model], suite)
    rows = rows[rows["label"] != ORIGINAL]
    masks = rows.drop_duplicates(["label", "mask_language"])
    cells = pd.DataFrame(
        {
            ("", "Method"): [labels.name(*pair) for pair in zip(masks["label"], masks["seeds"], strict=True)],
            ("", "Mask"): masks["mask_language"].to_numpy(),
        }
    )
    for benchmark in labels.benchmarks_of(suite):
        of_benchmark = rows[rows["benchmark"] == benchmark].to_dict("records")
        cells["", labels.benchmarks[benchmark]["label"]] = [
            f"{row['drop']:+.4f}{UNCLEAR if row['drop_low'] <= 0 <= row['drop_high'] else ''} "
            + bounds(row["drop_low"], row["drop_high"], row["interval"])
            for row in of_benchmark
        ]
    asked = asked_questions(rows, labels)
    notes = [
        f"Drop: original − masked, mean {labels.measure_of(suite)}; a positive one is a loss. Questions: {asked}.",
        f"Brackets: 95% percentile bootstrap over questions, {resamples:,} resamples, the same for all masks.",
        f"{UNCLEAR}: the interval contains 0.",
    ]
    if labels.kind_of(suite) == "open":
        notes.append(f"Scores by {labels.judge}.")
    if (rows["seeds"] > 1).any():
        notes.append(SEEDS)
    title = f"Drops per mask and benchmark on {labels.models[model]}: {labels.title_of(suite)} ({suite})."
    return Table(title, rows.rename(columns={"label": "mask_set"}), cells, notes)


def perplexity_matrix(perplexity: pd.DataFrame, labels: Labels, model: str, resamples: int) -> Table:
    """Return the perplexity of each language's texts as its ratio to the unmasked model's, a row per mask.

    Raises:
        ResultsError: see `perplexity_rows`.
    """
    rows = perplexity_rows(perplexity, labels, model)
    masks = rows.drop_duplicates(["label", "mask_language"])
    cells = pd.DataFrame(
        {
            ("", "Method"): [labels.name(*pair) for pair in zip(masks["label"], masks["seeds"], strict=True)],
            ("", "Mask"): masks["mask_language"].replace(NO_MASK, NOTHING).to_numpy(),
        }
    )
    for code, name in labels.languages.items():
        of_language = rows[rows["language"] == code].to_dict("records")
        cells["Texts", name] = [
            f"{row['perplexity']:.2f}"
            if row["label"] == ORIGINAL
            else f"× {np.exp(row['log_ratio']):.3f} "
            + bounds(np.exp(row["ratio_low"]), np.exp(row["ratio_high"]), row["interval"])
            for row in of_language
        ]
    sizes = rows.drop_duplicates("language").set_index("language")
    read = ", ".join(f"{labels.languages[c]} {sizes.loc[c, 'documents']:,.0f} documents, "
                     f"{sizes.loc[c, 'tokens']:,.0f} tokens" for c in labels.languages)  # fmt: skip
    notes = [
        "Original: perplexity; masks: its ratio to that, above 1 where the texts become less likely.",
        f"Held-out texts: {read}; none is in the relevance sample.",
        f"Brackets: 95% percentile bootstrap over documents, {resamples:,} resamples, the same for all masks.",
    ]
    if (rows["seeds"] > 1).any():
        notes.append(SEEDS)
    title = f"Perplexity of held-out texts on {labels.models[model]} with neurons masked."
    return Table(title, rows.rename(columns={"label": "mask_set"}), cells, notes)
