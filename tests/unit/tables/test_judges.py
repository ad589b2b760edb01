"""Tables and figure about judging: they say what the judgements hold."""

import numpy as np
import pandas as pd
import pytest
from crane.figures.judge_scores import judge_scores
from crane.scores.agreement import quadratic_kappa, spearman
from crane.tables.judges import agreement_table, language_table, usage_table
from crane.tables.paper import score_table
from crane.tables.rendering import TERMINAL_WIDTH, render
from scipy.stats import pearsonr, rankdata
from test_tables import BASE, LANGUAGES, labels, study


def judged() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the study with languages of the answers: English mask, Chinese questions answered in English by half."""
    scores, f1 = study()
    told = scores["kind"] == "open"
    scores = scores.assign(in_language=np.where(told, 1.0, np.nan), unidentified=np.where(told, 2.0, np.nan))
    scores["score_in_language"] = scores["score"].where(told)
    scores["drop_switched"], scores["drop_lost"] = 0.0, scores["drop"]
    half = (
        (scores["mask_set"] == "crane")
        & (scores["mask_language"] == "zh")
        & (scores["benchmark"] == "open_zh")
    )
    scores.loc[half, ["in_language", "drop_switched"]] = [0.5, 0.75]
    scores["drop_lost"] -= scores["drop_switched"]
    scores.loc[scores["mask_set"] == "original", ["drop_switched", "drop_lost"]] = np.nan
    return scores, f1


EVERY = labels("lape", "crane", "random")


def test_the_language_table_splits_the_drop():
    scores, _ = judged()
    table = language_table(scores, EVERY, name="answer_language-base", suite="open", model=BASE)
    assert list(table.cells["", "Method"])[:2] == ["Original", "LAPE"] and len(table.cells) == 10
    cells = table.cells.set_index([("", "Method"), ("", "Mask")])
    row = cells.loc[("CRANE", "zh")]["Open_zh"]
    drop = scores.query("mask_set == 'crane' and mask_language == 'zh' and benchmark == 'open_zh'")[
        "drop"
    ].iloc[0]
    assert (row["Share"], row["switch"], row["loss"]) == ("50%", "0.75", f"{drop - 0.75:.2f}")
    assert cells.loc[("Original", "–")]["Open_zh"]["Drop"] == "–"
    text = render(table, "txt")
    assert max(map(len, text.splitlines())) <= TERMINAL_WIDTH
    assert "Scores by GPT-4." in text and "Open_zh 2.0 of 70" in text
    assert all(render(table, form) for form in ("csv", "md", "tex"))


def test_the_papers_table_shows_the_share_beside_the_score():
    scores, f1 = judged()
    shown = {"name": "table2", "models": [BASE], "identified_on": BASE, "resamples": 100}
    table = score_table(scores, f1, EVERY, suite="open", **shown)
    cells = table.cells.set_index([("", "Method"), ("", "Mask")])
    assert cells.loc[("CRANE", "zh"), ("", "In zh")] == "50%"
    assert cells.loc[("CRANE", "zh"), ("", "In en")] == "100%"
    assert any(note.startswith("In en, ...: share of answers") for note in table.notes)
    assert max(map(len, render(table, "txt").splitlines())) <= TERMINAL_WIDTH + 30
    nlu = score_table(scores, f1, EVERY, suite="exam", **shown)
    assert not [name for _, name in nlu.cells if name.startswith("In ")]


def test_the_figure_draws_scores_intervals_and_shares():
    scores, _ = judged()
    figure = judge_scores(scores, EVERY, BASE, "open")
    assert len(figure.axes) == 3
    for axes, benchmark in zip(figure.axes, EVERY.benchmarks_of("open"), strict=True):
        own = scores[(scores["model"] == BASE) & (scores["benchmark"] == benchmark)]
        assert axes.lines[0].get_xdata()[0] == own[own["method"] == "original"]["score"].iloc[0]
        points = [line.get_xdata()[0] for line in axes.lines[1:]]
        expected = own[own["method"] != "original"].groupby(["method", "mask_language"])["score"].mean()
        order = pd.MultiIndex.from_product([EVERY.mask_sets, LANGUAGES])
        np.testing.assert_allclose(points, expected.loc[order])
        written = [text.get_text() for text in axes.texts]
        assert written == (["50%"] if benchmark == "open_zh" else [])
    assert "by GPT-4" in figure.get_supxlabel()


# Agreement ----------------------------------------------------------------------------------------------


def judgements(scores: dict[str, list[float | None]], language: str = "en") -> list[dict]:
    return [
        {
            "judge": judge, "model": "m", "mask_set": "s", "mask_language": "en", "language": language,
            "question_id": n, "score": score, "reason": None if score else "empty reply",
        }
        for judge, own in scores.items()
        for n, score in enumerate(own)
    ]  # fmt: skip


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
    assert "a: Judge A; b: Judge B" in render(table, "txt")


# Usage --------------------------------------------------------------------------------------------------


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
    assert all(render(table, form) for form in ("csv", "md", "tex", "txt"))
