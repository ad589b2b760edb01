"""A table of answers small enough to score by hand, and what `summarise` makes of it."""

import numpy as np
import pandas as pd
import pytest
from crane.artefacts import ArtefactError
from crane.scores.bootstrap import bootstrap_means, interval
from crane.scores.summary import open_items, summarise
from support.answers import BENCHMARKS, NAN, VALUES, answers

KEY = ["model", "mask_set", "mask_language"]


@pytest.fixture(scope="module")
def summary() -> tuple[pd.DataFrame, pd.DataFrame]:
    scores, f1, _ = summarise(answers(), BENCHMARKS, resamples=500)
    return scores.set_index([*KEY, "benchmark"]), f1.set_index([*KEY, "suite"])


def test_scores_and_drops_by_hand(summary):
    scores, _ = summary
    assert len(scores) == 3 * 4
    en = scores.loc[("base", "crane", "en", "quiz_en")]
    assert (en["score"], en["drop"], en["n"], en["missing"]) == (0.25, 0.5, 4, 0)
    assert en["relative_drop"] == pytest.approx(2 / 3)
    assert en["probability"] == pytest.approx((0.8 + 3 * 0.1) / 4)
    assert (en["language"], en["kind"], en["suite"]) == ("en", "nlu", "quiz")
    zh = scores.loc[("base", "crane", "zh", "quiz_zh")]
    assert (zh["score"], zh["drop"], zh["relative_drop"]) == (0.5, 0, 0)
    assert scores.loc[("base", "crane", "en", "open_en"), "drop"] == 3.5
    original = scores.loc[("base", "original", "none", "quiz_en")]
    assert original["score"] == 0.75
    assert original[["drop", "drop_low", "drop_high", "relative_drop"]].isna().all()


def test_langspec_f1_by_hand(summary):
    """Masking English: quiz drops 0.5 of 0.75 (en) and 0.25 of 0.5 (zh), so P = 2/3 and R = 2/3."""
    scores, f1 = summary
    assert len(f1) == 2 * 2
    quiz = f1.loc[("base", "crane", "en", "quiz")]
    assert quiz[["precision", "recall", "f1", "f1_mean_other"]].tolist() == pytest.approx([2 / 3] * 4)
    assert (quiz["target_drop"], quiz["other_drop"], quiz["other_language"]) == (0.5, 0.25, "zh")
    # Above chance (0.25): 2/3 to 0 in English, 1/3 to 0 in Chinese.
    assert quiz["f1_above_chance"] == pytest.approx(2 * (2 / 3) * 1 / (2 / 3 + 1))
    # Probabilities: 0.625 to 0.275, and 0.45 to 0.275.
    precision, recall = 0.35 / (0.35 + 0.175), 0.35 / 0.625
    assert quiz["f1_probability"] == pytest.approx(2 * precision * recall / (precision + recall))
    open_ = f1.loc[("base", "crane", "en", "open")]
    assert (open_["precision"], open_["recall"]) == pytest.approx((1, 0.5))
    assert open_["other_drop"] == 0 and np.isnan(open_["f1_probability"]) and open_["kind"] == "open"
    assert f1.loc[("base", "crane", "zh", "quiz"), "f1"] == 0
    bounds = ["target_drop_low", "target_drop_high"]
    own = scores.loc[("base", "crane", "en", "quiz_en"), ["drop_low", "drop_high"]]
    assert quiz[bounds].tolist() == own.tolist()


def test_a_target_drop_is_distinguishable_if_its_interval_leaves_out_0(summary):
    _, f1 = summary
    assert f1["distinguishable"].to_dict() == {
        ("base", "crane", "en", "quiz"): False,  # two of four answers lost: some resamples draw neither
        ("base", "crane", "zh", "quiz"): False,
        ("base", "crane", "en", "open"): True,  # both answers lost
        ("base", "crane", "zh", "open"): True,
    }


def test_unscored_answers_are_counted_and_left_out(summary):
    """Also where a resample draws nothing but unscored answers, as one in four of two answers does."""
    scores, f1 = summary
    zh = scores.loc[("base", "original", "none", "open_zh")]
    assert (zh["score"], zh["missing"], zh["n"]) == (5, 1, 2)
    assert (zh["low"], zh["high"]) == (5, 5)
    assert scores.loc[("base", "crane", "zh", "open_zh"), "drop"] == 4
    lost = f1.loc[("base", "crane", "zh", "open")]
    recall = 4 / 5
    assert lost[["f1", "low", "high"]].tolist() == pytest.approx([2 * recall / (1 + recall)] * 3)
    assert scores.drop(("base", "original", "none", "open_zh"))["missing"].sum() == 0


def test_a_mask_without_any_scored_answer_has_no_score_and_stops_no_other():
    values = {**VALUES, ("crane", "zh"): {**VALUES["crane", "zh"], "open_zh": [NAN, NAN]}}
    key = ["model", "mask_set", "mask_language"]
    scores, f1 = (
        frame.set_index([*key, column]).sort_index()
        for frame, column in zip(
            summarise(answers(values), BENCHMARKS, resamples=10)[:2], ("benchmark", "suite"), strict=True
        )
    )
    row = scores.loc[("base", "crane", "zh", "open_zh")]
    assert (row["missing"], row["n"]) == (2, 2)
    assert row[["score", "drop", "drop_low", "p"]].isna().all()
    row = f1.loc[("base", "crane", "zh", "open")]
    assert row[["f1", "low", "high", "other_drop_high"]].isna().all() and not row["distinguishable"]
    assert f1.drop(("base", "crane", "zh", "open"))["f1"].notna().all()


def test_without_any_scored_answer_of_the_unmasked_model_nothing_can_be_said():
    values = {**VALUES, ("original", "none"): {**VALUES["original", "none"], "open_zh": [NAN, NAN]}}
    with pytest.raises(ArtefactError, match=r"benchmark 'open_zh': none of the 2 answers without a mask"):
        summarise(answers(values), BENCHMARKS, resamples=10)


def test_the_largest_drop_of_another_language_has_an_interval(summary):
    _, f1 = summary
    assert (f1["other_drop_low"] <= f1["other_drop_high"]).all()
    assert (f1["other_drop"] <= f1["other_drop_high"]).all()


def test_intervals_are_those_of_the_paired_bootstrap():
    rng = np.random.default_rng(0)
    table = {
        condition: {name: rng.integers(0, 2, 60) for name in ("quiz_en", "quiz_zh")} for condition in VALUES
    }
    frame = answers(table)
    scores = summarise(frame, BENCHMARKS, resamples=400)[0]
    masked = scores[scores["mask_set"] == "crane"]
    assert (masked["drop_low"] <= masked["drop"]).all() and (masked["drop"] <= masked["drop_high"]).all()
    # Drawn apart, the two means would spread by the sum of their variances; paired, by that of the differences.
    before, after = (table[c]["quiz_en"].astype(float) for c in (("original", "none"), ("crane", "en")))
    low, high = interval(
        bootstrap_means([before - after], [""] * 60, list(range(60)), resamples=4000, seed=(9,))
    )
    row = masked[(masked["mask_language"] == "en") & (masked["benchmark"] == "quiz_en")].iloc[0]
    assert (row["drop_low"], row["drop_high"]) == pytest.approx((low[0], high[0]), abs=0.05)


@pytest.mark.parametrize("seed", [1, 2])
def test_values_do_not_depend_on_the_order_of_the_answers(seed: int):
    frame = answers(models=("base", "chat"))
    keys = ([*KEY, "benchmark"], [*KEY, "suite"])
    expected = summarise(frame, BENCHMARKS, resamples=50)
    shuffled = summarise(frame.sample(frac=1, random_state=seed), BENCHMARKS, resamples=50)
    for one, other, key in zip(expected[:2], shuffled[:2], keys, strict=True):
        one, other = (table.sort_values(key, ignore_index=True) for table in (one, other))
        pd.testing.assert_frame_equal(one, other)


def test_a_benchmark_draws_the_same_whatever_else_is_scored():
    frame = answers()
    both, *_ = summarise(frame, BENCHMARKS, resamples=50)
    alone, *_ = summarise(frame[frame["benchmark"].str.startswith("quiz")], BENCHMARKS, resamples=50)
    kept = both[both["suite"] == "quiz"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, alone)
    other, *_ = summarise(frame, BENCHMARKS, resamples=50, seed=1)
    assert (both["low"] != other["low"]).any() or (both["high"] != other["high"]).any()


def test_a_model_that_answers_nothing_right_has_no_relative_drop():
    values = {**VALUES, ("original", "none"): {**VALUES["original", "none"], "quiz_en": [0, 0, 0, 0]}}
    scores, f1, _ = summarise(answers(values), BENCHMARKS, resamples=50)
    row = scores.query("mask_language == 'en' and benchmark == 'quiz_en'").iloc[0]
    assert row["drop"] == -0.25 and np.isnan(row["relative_drop"])
    assert f1.query("mask_language == 'en' and suite == 'quiz'")["f1"].item() == 0


def spoilt(how: str) -> pd.DataFrame:
    frame = answers()
    masked = frame.index[(frame["mask_language"] == "en") & (frame["benchmark"] == "quiz_en")]
    if how == "one missing":
        return frame.drop(masked[0])
    if how == "another one missing under each mask":
        return frame.drop(
            [
                frame.index[(frame["mask_language"] == code) & (frame["benchmark"] == "quiz_en")][place]
                for place, code in enumerate(("none", "en", "zh"))
            ]
        )
    if how == "one twice":
        return pd.concat([frame, frame.loc[[masked[0]]]])
    if how == "one twice instead of another":
        return pd.concat([frame.drop(masked[1]), frame.loc[[masked[0]]]])
    if how == "another question":
        return frame.assign(doc_hash=frame["doc_hash"].mask(frame.index == masked[0], "changed"))
    return frame[frame["mask_set"] != "original"]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            "one missing",
            "question 0 of 'quiz_en_task' has 0 answers under mask crane/en instead of one .1 such",
        ),
        ("another one missing under each mask", "question 0 .* 0 answers under mask original/none .*3 such"),
        ("one twice", "question 0 .* 2 answers under mask crane/en"),
        ("one twice instead of another", "question 0 .* 2 answers under mask crane/en .*2 such"),
        ("another question", r"differs between masks \(doc_hash\)"),
        ("no original", "no answers without a mask"),
    ],
)
def test_answers_that_cannot_be_paired_are_refused(how: str, message: str):
    with pytest.raises(ArtefactError, match=message):
        summarise(spoilt(how), BENCHMARKS, resamples=10)


def test_judgements_become_items():
    judged = {
        "model": "base", "mask_set": "crane", "mask_language": "en", "language": "zh", "question_id": 7,
        "question": "?", "score": 4, "answer_language": "en",
    }  # fmt: skip
    frame = open_items([judged, {**judged, "question_id": 8, "score": None}])
    assert frame["benchmark"].tolist() == ["open_zh"] * 2
    assert frame["cluster"].nunique() == 2 and frame["doc_hash"].nunique() == 1
    np.testing.assert_array_equal(frame["value"], [4, NAN])
    told = open_items([{**judged, "answer_language": code} for code in ("zh", "en", None)])
    np.testing.assert_array_equal(told["in_language"], [1, 0, NAN])


def test_a_drop_is_split_into_switched_and_lost():
    """Question 0 is answered in another language under the mask, 1 is answered worse, 2 has no language."""
    frame = answers(
        {
            ("original", "none"): {"open_en": [9, 8, 7, 6], "open_zh": [9, 9, 9, NAN]},
            ("crane", "en"): {"open_en": [1, 5, 6, NAN], "open_zh": [9, 9, 9, 9]},
        }
    )
    spoken = {"none": [1, 1, 1, 1], "en": [0, 1, NAN, 0]}
    frame["in_language"] = [
        spoken[mask][place] for mask, place in zip(frame["mask_language"], frame["doc_id"], strict=True)
    ]
    scores, *_ = summarise(frame, BENCHMARKS, resamples=100)
    scores = scores.set_index(["mask_set", "benchmark"])
    row = scores.loc["crane", "open_en"]
    assert row["drop"] == pytest.approx(4) and row["missing"] == 1
    assert row["drop_switched"] == pytest.approx(8 / 3) and row["drop_lost"] == pytest.approx(4 / 3)
    assert row["in_language"] == pytest.approx(1 / 3) and row["unidentified"] == 1
    assert row["score_in_language"] == 5
    assert scores.loc["crane", "open_zh"][["drop_switched", "drop_lost"]].tolist() == [0, 0]
    unmasked = scores.loc["original", "open_en"]
    assert unmasked["in_language"] == 1 and np.isnan(unmasked["drop_switched"])
    without = summarise(frame.drop(columns="in_language"), BENCHMARKS, resamples=100)[0]
    assert without[["in_language", "score_in_language", "drop_switched"]].isna().all(axis=None)
    frame.loc[(frame["mask_language"] == "en") & (frame["doc_id"] < 2), "in_language"] = (
        NAN  # one of four is told
    )
    few = summarise(frame, BENCHMARKS, resamples=100)[0].set_index(["mask_set", "benchmark"])
    assert few.loc["crane", "open_en"][["in_language", "drop_switched", "drop_lost"]].isna().all()
    assert few.loc["crane", "open_en"]["unidentified"] == 3


def test_a_drop_compares_the_same_questions():
    """Unscored answers of one mask leave their questions out of both sides."""
    full, holes = [10, 10, 10, 1, 1], [10, 10, 10, NAN, NAN]
    frame = answers(
        {
            ("original", "none"): {"open_en": full, "open_zh": full},
            ("crane", "en"): {"open_en": holes, "open_zh": full},
        }
    )
    scores, langspec, _ = summarise(frame, BENCHMARKS, resamples=200)
    row = scores[(scores["mask_set"] == "crane") & (scores["benchmark"] == "open_en")].iloc[0]
    assert (row["score"], row["missing"], row["drop"]) == (10, 2, 0)
    assert (row["drop_low"], row["drop_high"]) == (0, 0)
    assert langspec["f1"].iloc[0] == 0


def test_changed_answers_are_counted_and_tested(summary):
    scores, _ = summary
    columns = ["worse", "better", "p"]
    assert scores.loc[("base", "crane", "en", "quiz_en"), columns].tolist() == [2, 0, 0.5]
    assert scores.loc[("base", "crane", "zh", "quiz_zh"), columns].tolist() == [1, 1, 1]
    # An unscored answer is no change.
    assert scores.loc[("base", "crane", "en", "open_zh"), columns].tolist() == [0, 0, 1]
    assert scores.xs("original", level="mask_set")[columns].isna().all(axis=None)


def test_differences_of_f1_are_paired():
    """A set with the reference's very answers differs by nothing, in every resample."""
    rng = np.random.default_rng(0)
    table = {
        (name, code): {benchmark: rng.integers(0, 2, 80) for benchmark in ("quiz_en", "quiz_zh")}
        for name, code in [("original", "none"), ("crane", "en"), ("crane", "zh")]
    }
    table |= {("twin", code): table["crane", code] for code in ("en", "zh")}
    table |= {
        ("worse", code): {name: 0 * a for name, a in table["crane", code].items()} for code in ("en", "zh")
    }
    _, f1, _ = summarise(answers(table), BENCHMARKS, resamples=300, reference="crane")
    rows = f1.set_index(["mask_set", "mask_language"])
    columns = ["difference", "difference_low", "difference_high"]
    assert (rows.loc["twin", columns] == 0).all(axis=None)
    assert rows.loc["crane", columns].isna().all(axis=None)
    for code in ("en", "zh"):
        own = rows.loc[("worse", code)]
        assert own["difference"] == pytest.approx(own["f1"] - rows.loc[("crane", code), "f1"])
        assert own["difference_low"] <= own["difference"] <= own["difference_high"]
        # Less wide than the two F1 apart would have it: both come from the same questions.
        apart = (own["high"] - own["low"]) + (
            rows.loc[("crane", code), "high"] - rows.loc[("crane", code), "low"]
        )
        assert own["difference_high"] - own["difference_low"] < apart
    assert summarise(answers(table), BENCHMARKS, resamples=10)[1]["difference"].isna().all()
