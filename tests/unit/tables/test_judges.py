"""Tables about judging: they say what the judgements hold."""

import numpy as np
import pytest
from crane.names import TABLE_FORMS
from crane.tables.judges import agreement_table, language_table, usage_table
from crane.tables.rendering import TERMINAL_WIDTH, render
from support.judged_results import judged
from support.published_results import BASE, EVERY


def test_the_language_table_splits_the_drop():
    scores, _ = judged()
    table = language_table(scores, EVERY, model=BASE)
    assert list(table.cells["", "Method"])[:2] == ["Original", "LAPE"] and len(table.cells) == 10
    cells = table.cells.set_index([("", "Method"), ("", "Mask")])
    row = cells.loc[("CRANE", "zh")]["Open_zh"]
    drop = scores.query("mask_set == 'crane' and mask_language == 'zh' and benchmark == 'open_zh'")[
        "drop"
    ].iloc[0]
    assert (row["Share"], row["switch"], row["loss"]) == ("50%", "0.75", f"{drop - 0.75:.2f}")
    assert cells.loc[("Original", "–")]["Open_zh"]["Drop"] == "–"
    text = render(table, "answer_language-base", "txt")
    assert max(map(len, text.splitlines())) <= TERMINAL_WIDTH
    assert "Scores by GPT-4." in text and "Open_zh 2.0 of 70" in text
    assert all(render(table, "answer_language-base", form) for form in TABLE_FORMS)


def judgements(scores: dict[str, list[float | None]], language: str = "en") -> list[dict]:
    return [
        {
            "judge": judge, "model": "m", "mask_set": "s", "mask_language": "en", "language": language,
            "question_id": n, "score": score, "reason": None if score else "empty reply",
        }
        for judge, own in scores.items()
        for n, score in enumerate(own)
    ]  # fmt: skip


def test_the_agreement_table_pairs_the_same_answers():
    records = [
        *judgements({"a": [1, 5, 9, None], "b": [2, 5, 8, 3], "c": [9, 5, 1, 1]}),
        *judgements({"a": [4, 6], "b": [4, 6], "c": [4, None]}, "vi"),
    ]
    table = agreement_table(reversed(records), {"a": "Judge A", "b": "Judge B", "c": "Judge C"})
    tidy = table.tidy.set_index(["first", "second", "language"])
    assert len(tidy) == 9
    assert tidy.loc[("a", "b", "en"), ["answers", "scored_by_both"]].tolist() == [4, 3]
    assert tidy.loc[("a", "b", "vi"), "quadratic_kappa"] == 1
    assert tidy.loc[("a", "b", "all"), "scored_by_both"] == 5
    assert tidy.loc[("a", "b", "en"), "within_one"] == 1
    assert tidy.loc[("a", "c", "en"), "spearman"] == pytest.approx(-1)
    assert np.isnan(tidy.loc[("a", "c", "vi"), "spearman"])
    assert "a: Judge A; b: Judge B" in render(table, "judge_agreement", "txt")


def test_usage_counts_equal_answers_once():
    def reply(key: str, attempt: int = 0, read: int | None = 100, written: int = 10) -> dict:
        return {
            "attempt": attempt,
            "key": key,
            "usage": {"prompt_tokens": read, "completion_tokens": written},
        }

    def record(score, *replies, judge="a", reason=None):
        return {"judge": judge, "score": score, "reason": reason, "replies": list(replies)}

    records = [
        record(5, reply("k1")),
        record(5, reply("k1")),
        record(None, reply("k2"), reply("k3", 1), reason="empty reply"),
        record(None, {"attempt": 0, "key": "k4", "error": "HTTP 400: no"}, reason="HTTP 400: no"),
        record(7, reply("k5", read=None, written=0)),
        record(9, reply("k1"), judge="b"),
    ]
    table = usage_table(records, {"a": "A", "b": "B"}, {"a": {"input": 2.0, "output": 8.0}})
    tidy = table.tidy.set_index("judge")
    row = tidy.loc["a"]
    assert row[["answers", "distinct_answers", "replies", "reasks"]].tolist() == [5, 3, 4, 1]
    assert row[["prompt_tokens", "completion_tokens", "without_usage"]].tolist() == [300, 30, 1]
    assert row["cost"] == pytest.approx((300 * 2 + 30 * 8) / 1e6)
    assert row["unscored"] == 2 and np.isnan(tidy.loc["b", "cost"])
    assert any("a, answers without a score: empty reply (1); HTTP 400: no (1)." in n for n in table.notes)
    assert all(render(table, "judge_usage", form) for form in TABLE_FORMS)
