"""Agreement of two judges against its definitions, and what the judges used."""

from typing import Any

import numpy as np
import pytest
from crane.scores.agreement import ALL, agreement, quadratic_kappa, spearman, usage
from scipy.stats import pearsonr, rankdata


def kappa_by_definition(one, other, highest=10):
    """1 - observed / expected disagreement, squared differences, by the definition (Cohen 1968)."""
    table = np.zeros((highest, highest))
    for a, b in zip(one, other, strict=True):
        table[a - 1, b - 1] += 1
    weights = np.subtract.outer(np.arange(highest), np.arange(highest)) ** 2
    expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
    return 1 - (weights * table).sum() / (weights * expected).sum()


def test_agreement_by_its_definitions():
    rng = np.random.default_rng(0)
    one = rng.integers(1, 11, 300)
    other = np.clip(one + rng.integers(-2, 3, 300), 1, 10)
    assert quadratic_kappa(one, other) == pytest.approx(kappa_by_definition(one, other))
    assert spearman(one, other) == pytest.approx(pearsonr(rankdata(one), rankdata(other)).statistic)
    assert quadratic_kappa(one, one) == pytest.approx(1) and spearman(one, one) == pytest.approx(1)
    assert quadratic_kappa(np.array([1, 2, 3]), np.array([3, 2, 1])) == pytest.approx(-1)
    assert quadratic_kappa(one + 0.3, other - 0.4) == pytest.approx(quadratic_kappa(one, other))
    for undefined in (quadratic_kappa, spearman):
        assert np.isnan(undefined(np.array([5, 5]), np.array([5, 5])))
        assert np.isnan(undefined(np.array([]), np.array([])))


def judged(judge: str, scores: list[float | None], language: str = "en", **more: Any) -> list[dict[str, Any]]:
    """Return one judge's judgements of the answers 0, 1, ... to questions of a language."""
    return [
        {"judge": judge, "model": "m", "mask_set": "s", "mask_language": "en", "language": language,
         "question_id": number, "score": score, **more}
        for number, score in enumerate(scores)
    ]  # fmt: skip


def test_pairs_come_in_the_order_of_the_judges_with_a_row_per_language_and_one_over_all():
    records = [
        *judged("b", [1, 2]), *judged("a", [1, 3]), *judged("c", [2, 2]), *judged("b", [4], "vi"),
        *judged("a", [4], "vi"), *judged("c", [9], "vi"),
    ]  # fmt: skip
    pairwise = agreement(records, ["a", "b", "c"])
    pairs = pairwise[["first", "second"]].drop_duplicates().itertuples(index=False, name=None)
    assert list(pairs) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert pairwise["language"].tolist() == [ALL, "en", "vi"] * 3
    over_all = pairwise.set_index(["first", "second", "language"]).loc[("a", "b", ALL)]
    assert over_all["answers"] == over_all["scored_by_both"] == 3
    assert over_all["first_mean"] == pytest.approx(8 / 3) and over_all["second_mean"] == pytest.approx(7 / 3)
    assert over_all["within_one"] == 1


def test_answers_that_one_judge_did_not_score_are_left_out():
    records = [*judged("a", [1, 5, None, 9]), *judged("b", [2, None, 3, 4])]
    row = agreement(records, ["a", "b"]).iloc[0]
    assert (row["answers"], row["scored_by_both"]) == (4, 2)
    assert (row["first_mean"], row["second_mean"], row["within_one"]) == (5, 3, 0.5)
    nothing = agreement([*judged("a", [None]), *judged("b", [3])], ["a", "b"]).iloc[0]
    assert nothing["scored_by_both"] == 0
    assert np.isnan([nothing[key] for key in ("first_mean", "second_mean", "spearman", "within_one")]).all()


def test_a_judge_twice_on_one_answer_is_an_error():
    with pytest.raises(ValueError, match="duplicate"):
        agreement([*judged("a", [1]), *judged("a", [2]), *judged("b", [1])], ["a", "b"])


def reply(key: str, read: int | None = 100, attempt: int = 0, **more: Any) -> dict[str, Any]:
    return {"key": key, "attempt": attempt, "usage": {"prompt_tokens": read, "completion_tokens": 10}, **more}


def test_usage_counts_each_reply_once_and_prices_it():
    records = [
        *judged("a", [5, 5], reason=None, replies=[reply("k1")]),
        *judged("a", [None], reason="empty reply", replies=[reply("k2"), reply("k3", attempt=1)]),
        *judged("a", [None], reason="HTTP 400", replies=[reply("k4", error="HTTP 400")]),
    ]
    used = usage(records, ["a", "b"], {"a": {"input": 2.0, "output": 8.0}}).set_index("judge")
    row = used.loc["a"]
    assert (row["answers"], row["distinct_answers"], row["replies"], row["reasks"]) == (4, 2, 3, 1)
    assert (row["prompt_tokens"], row["completion_tokens"], row["unscored"]) == (300, 30, 2)
    assert row["cost"] == pytest.approx((300 * 2 + 30 * 8) / 1e6)
    assert row["reasons"] == "empty reply (1); HTTP 400 (1)"
    assert used.loc["b", "answers"] == 0 and np.isnan(used.loc["b", "cost"])


def test_replies_that_do_not_state_their_usage_are_counted():
    records = [
        *judged("a", [5], reason=None, replies=[reply("k1", read=None)]),
        *judged("a", [5], reason=None, replies=[{"key": "k2", "attempt": 0}]),
    ]
    row = usage(records, ["a"], {}).iloc[0]
    assert (row["replies"], row["without_usage"], row["prompt_tokens"]) == (2, 2, 0)
