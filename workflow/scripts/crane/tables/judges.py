"""Tables about judging: the languages of the answers, the agreement of judges, and what they used."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from crane.names import NO_MASK, OPEN_SUITE
from crane.results.cells import NOTHING, integer, number, percent
from crane.results.frames import score_rows
from crane.results.labels import Labels
from crane.scores.agreement import agreement
from crane.scores.agreement import usage as judge_usage
from crane.tables.rendering import Table


def language_table(scores: pd.DataFrame, labels: Labels, *, model: str) -> Table:
    """Per mask and language asked in: answers in that language, and the drop split into switched and lost.

    Raises:
        ResultsError: the results lack a row of the table, see `crane.results.frames.score_rows`.
    """
    scored = score_rows(scores, labels, [model], OPEN_SUITE)
    seeds = scored.groupby("label")["seeds"].max().to_dict()
    first = scored.drop_duplicates(["label", "mask_language"])
    cells = pd.DataFrame(
        {
            ("", "Method"): [labels.name(label, seeds[label]) for label in first["label"]],
            ("", "Mask"): [NOTHING if code == NO_MASK else code for code in first["mask_language"]],
        }
    )
    shown = {"in_language": ("Share", percent), "drop": ("Drop", _short)}
    shown |= {"drop_switched": ("switch", _short), "drop_lost": ("loss", _short)}
    for benchmark in labels.benchmarks_of(OPEN_SUITE):
        rows = scored[scored["benchmark"] == benchmark]
        for column, (heading, text) in shown.items():
            cells[labels.benchmarks[benchmark]["label"], heading] = rows[column].map(text).array
    unknown = ", ".join(
        f"{labels.benchmarks[benchmark]['label']} {rows['unidentified'].mean():.1f} of {rows['n'].iloc[0]:,.0f}"
        for benchmark, rows in scored.groupby("benchmark", sort=False)
    )
    notes = [
        f"Scores by {labels.judge}.",
        "Share: of the answers whose language can be told, those in the language asked in; – where "
        "these are less than half, and the drop is not split. Too short to tell, mean "
        f"over the masks: {unknown}.",
        "Drop = switch + loss. Switch: from questions that the unmasked model answers in the language asked in and the "
        "masked one in another; loss: from all others.",
    ]
    title = f"Language of the open answers on {labels.models[model]} with neurons masked."
    return Table(title, scored.rename(columns={"label": "mask_set"}), cells, notes)


def _short(value: float) -> str:
    return NOTHING if pd.isna(value) else f"{value:.2f}"


def agreement_table(judgements: Iterable[Mapping[str, Any]], judges: Mapping[str, str]) -> Table:
    """Agreement of each pair of judges on the same answers: Spearman's correlation and quadratic kappa.


    Args:
        judgements: of all judges: as in `crane.scores.agreement.agreement`.
        judges: judge -> what it is called; the pairs come in this order.
    """
    tidy = agreement(judgements, list(judges))
    cells = pd.DataFrame(
        {
            ("", "Judges"): tidy["first"] + " / " + tidy["second"],
            ("", "Language"): tidy["language"],
            ("", "Answers"): tidy["answers"].map(integer),
            ("", "Scored by both"): tidy["scored_by_both"].map(integer),
            ("", "Means"): tidy["first_mean"].map(number) + " / " + tidy["second_mean"].map(number),
            ("", "Spearman"): tidy["spearman"].map(number),
            ("", "Quadratic kappa"): tidy["quadratic_kappa"].map(number),
            ("", "Within 1"): tidy["within_one"].map(percent),
        }
    )
    named = "; ".join(f"{name}: {label}" for name, label in judges.items())
    notes = [
        f"{named}.",
        "Over all models and masks, answers that both scored. Kappa: of scores rounded to whole numbers.",
    ]
    return Table("Agreement of the judges on the open answers.", tidy, cells, notes)


def usage_table(
    judgements: Iterable[Mapping[str, Any]],
    judges: Mapping[str, str],
    prices: Mapping[str, Mapping[str, float]],
) -> Table:
    """What the judges behind endpoints used for a study, from the usage that their replies state.

    Equal answers are judged once and counted once.

    Args:
        judgements: of all judges: judge, score, reason and replies (attempt, key, usage or error).
        judges: judge -> what it is called.
        prices: judge -> input and output, per million tokens, where given.
    """
    tidy = judge_usage(judgements, list(judges), prices)
    headings = {
        "answers": "Answers",
        "distinct_answers": "of them distinct",
        "replies": "Replies",
        "reasks": "of them re-asks",
    }
    headings |= {
        "unscored": "Without score",
        "prompt_tokens": "Tokens read",
        "completion_tokens": "written",
        "without_usage": "not stated",
    }
    names = [judges[name] for name in tidy["judge"]]
    cells = pd.DataFrame({("", "Name"): tidy["judge"].to_numpy(), ("", "Judge"): names})
    for column, heading in headings.items():
        cells["", heading] = tidy[column].map(integer)
    cells["", "Cost"] = tidy["cost"].map(number)
    notes = [
        "Replies that this study rests on, equal answers counted once; an earlier study may have paid for some. "
        "Tokens: as the endpoint states them (not stated: replies without). Cost: at the price per million tokens "
        "that is given, without discounts.",
    ]
    for row in tidy[tidy["reasons"] != ""].itertuples():
        notes.append(f"{row.judge}, answers without a score: {row.reasons}.")
    return Table("What the judges used.", tidy, cells, notes)
