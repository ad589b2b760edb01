"""Agreement of judges on the same answers, and their usage."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from crane.judging.scale import HIGHEST, LOWEST

ALL = "all"
_ANSWER = ["model", "mask_set", "mask_language", "language", "question_id"]


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Return Spearman's rank correlation, NaN where it is undefined."""
    if len(one) < 2 or len(set(one)) < 2 or len(set(other)) < 2:
        return float("nan")
    return float(spearmanr(one, other).statistic)


def quadratic_kappa(one: np.ndarray, other: np.ndarray) -> float:
    """Return Cohen's kappa with quadratic weights on the whole scale, NaN where it is undefined."""
    rounded = [np.rint(scores).astype(int) for scores in (one, other)]
    if not len(one) or len({*rounded[0], *rounded[1]}) < 2:
        return float("nan")
    scale = list(range(LOWEST, HIGHEST + 1))
    return float(cohen_kappa_score(*rounded, weights="quadratic", labels=scale))


def agreement(judgements: Iterable[Mapping[str, Any]], judges: Sequence[str]) -> pd.DataFrame:
    """Return the agreement of each pair of judges on the same answers, per language and over all languages.

    Kappa (Cohen 1968, quadratic weights on 1..10) uses scores rounded to integers. Both coefficients are undefined if a
    judge gives only one score.

    Args:
        judgements: of all judges: judge, model, mask_set, mask_language, language, question_id, score.
        judges: their names; the pairs come in this order.

    Returns:
        first, second, language, answers, scored_by_both, first_mean, second_mean, spearman, quadratic_kappa,
        within_one (share of answers that both scored at most one apart).
    """
    frame = pd.DataFrame([{key: j[key] for key in ("judge", "score", *_ANSWER)} for j in judgements])
    frame["score"] = frame["score"].astype(float)
    by_judge = frame.pivot(index=_ANSWER, columns="judge", values="score")
    asked = by_judge.index.get_level_values("language")
    rows = []
    for first, second in combinations(judges, 2):
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
    return pd.DataFrame(rows)


def usage(
    judgements: Iterable[Mapping[str, Any]],
    judges: Sequence[str],
    prices: Mapping[str, Mapping[str, float]],
) -> pd.DataFrame:
    """Return the usage of the judges behind endpoints in a study, as their replies state it.

    Equal answers are judged once and counted once.

    Args:
        judgements: of all judges: judge, score, reason and replies (attempt, key, usage or error).
        judges: their names.
        prices: judge -> input and output, per million tokens, where given.

    Returns:
        One row per judge: judge, answers, distinct_answers, replies, reasks, unscored, prompt_tokens,
        completion_tokens, without_usage (replies), cost, reasons.
    """
    by_judge: dict[str, list[Mapping[str, Any]]] = {name: [] for name in judges}
    for judgement in judgements:
        by_judge[judgement["judge"]].append(judgement)
    return pd.DataFrame([_usage(name, by_judge[name], prices.get(name)) for name in judges])


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
