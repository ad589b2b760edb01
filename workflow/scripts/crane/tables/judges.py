"""Tables about judging: the languages of the answers, the agreement of judges, and what they used."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from crane.names import NO_MASK
from crane.results.cells import NOTHING, integer, number, percent
from crane.results.frames import score_rows
from crane.results.labels import Labels
from crane.scores.agreement import quadratic_kappa, spearman
from crane.tables.rendering import Table

ALL = "all"


_ANSWER = ["model", "mask_set", "mask_language", "language", "question_id"]


def language_table(scores: pd.DataFrame, labels: Labels, *, name: str, suite: str, model: str) -> Table:
    """Per mask and language asked in: answers in that language, and the drop split into switched and lost.

    Raises:
        ResultsError: the results lack a row of the table, see `crane.results.frames.score_rows`.
    """
    scored = score_rows(scores, labels, [model], suite)
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
    for benchmark in labels.benchmarks_of(suite):
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
    return Table(name, title, scored.rename(columns={"label": "mask_set"}), cells, notes)


def _short(value: float) -> str:
    return NOTHING if pd.isna(value) else f"{value:.2f}"


def agreement_table(judgements: Iterable[Mapping[str, Any]], labels: Mapping[str, str]) -> Table:
    """Agreement of each pair of judges on the same answers: Spearman's correlation and quadratic kappa.

    Kappa (Cohen 1968, quadratic weights on 1..10) takes scores rounded to whole numbers. Both are undefined where a
    judge gives one score only.

    Args:
        judgements: of all judges: judge, model, mask_set, mask_language, language, question_id, score.
        labels: judge -> what it is called; the pairs come in this order.
    """
    frame = pd.DataFrame([{key: j[key] for key in ("judge", "score", *_ANSWER)} for j in judgements])
    frame["score"] = frame["score"].astype(float)
    by_judge = frame.pivot(index=_ANSWER, columns="judge", values="score")
    asked = by_judge.index.get_level_values("language")
    rows = []
    for first, second in combinations(labels, 2):
        for language in [ALL, *dict.fromkeys(frame["language"])]:
            pair = by_judge.loc[(asked == language) | (language == ALL), [first, second]]
            both = pair.dropna()
            one, other = both[first].to_numpy(), both[second].to_numpy()
            rows.append(
                {
                    "first": first, "second": second, "language": language, "answers": len(pair),
                    "scored_by_both": len(both),
                    "first_mean": one.mean() if len(both) else np.nan,
                    "second_mean": other.mean() if len(both) else np.nan,
                    "spearman": spearman(one, other), "quadratic_kappa": quadratic_kappa(one, other),
                    "within_one": float((abs(one - other) <= 1).mean()) if len(both) else np.nan,
                }
            )  # fmt: skip
    tidy = pd.DataFrame(rows)
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
    named = "; ".join(f"{name}: {label}" for name, label in labels.items())
    notes = [
        f"{named}.",
        "Over all models and masks, answers that both scored. Kappa: of scores rounded to whole numbers.",
    ]
    return Table("judge_agreement", "Agreement of the judges on the open answers.", tidy, cells, notes)


def usage_table(
    judgements: Iterable[Mapping[str, Any]],
    labels: Mapping[str, str],
    prices: Mapping[str, Mapping[str, float]],
) -> Table:
    """What the judges behind endpoints used for a study, from the usage that their replies state.

    Equal answers are judged once and counted once.

    Args:
        judgements: of all judges: judge, score, reason and replies (attempt, key, usage or error).
        labels: judge -> what it is called.
        prices: judge -> input and output, per million tokens, where given.
    """
    by_judge: dict[str, list[Mapping[str, Any]]] = {name: [] for name in labels}
    for judgement in judgements:
        by_judge[judgement["judge"]].append(judgement)
    tidy = pd.DataFrame([_usage(name, by_judge[name], prices.get(name)) for name in labels])
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
    names = [labels[name] for name in tidy["judge"]]
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
    return Table("judge_usage", "What the judges used.", tidy, cells, notes)


def _usage(
    name: str, judgements: Sequence[Mapping[str, Any]], price: Mapping[str, float] | None
) -> dict[str, Any]:
    replies = {r["key"]: r for j in judgements for r in j["replies"] if "key" in r and "error" not in r}
    used = {
        column: sum((reply.get("usage") or {}).get(column) or 0 for reply in replies.values())
        for column in ("prompt_tokens", "completion_tokens")
    }
    cost = np.nan
    if price:
        cost = (used["prompt_tokens"] * price["input"] + used["completion_tokens"] * price["output"]) / 1e6
    reasons = Counter(j["reason"] for j in judgements if j["score"] is None)
    silent = sum(not (reply.get("usage") or {}).get("prompt_tokens") for reply in replies.values())
    return {
        "judge": name, "answers": len(judgements),
        "distinct_answers": sum(reply["attempt"] == 0 for reply in replies.values()),
        "replies": len(replies), "reasks": sum(reply["attempt"] > 0 for reply in replies.values()),
        "unscored": sum(reasons.values()), **used, "without_usage": silent, "cost": cost,
        "reasons": "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common()),
    }  # fmt: skip
