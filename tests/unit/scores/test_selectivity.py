"""D of masks whose effect is known: selective, destructive, without effect, with few questions."""

import numpy as np
import pandas as pd
import pytest
from crane.scores.randomisation import Losses
from crane.scores.selectivity import Loss, contrasts, dissociations, selectivity
from crane.scores.summary import Summary, summarise
from scipy.stats import binom
from support.masked_answers import LANGUAGES, PARALLEL, QUIZ, quiz

MASKS = {
    ("selective", "en"): {"en": 30, "zh": 4, "vi": 10},
    ("selective", "zh"): {"en": 2, "zh": 25, "vi": 2},
    ("selective", "vi"): {"en": 6, "zh": 6, "vi": 7},
    **{("destroyed", code): dict.fromkeys(LANGUAGES, 100) for code in LANGUAGES},
    **{("none", code): {} for code in LANGUAGES},
}


@pytest.fixture(scope="module", params=[PARALLEL, QUIZ], ids=["parallel", "apart"])
def summary(request: pytest.FixtureRequest) -> Summary:
    return summarise(quiz(MASKS), request.param, resamples=2000)


def effect(summary: Summary, mask_set: str, code: str) -> pd.Series:
    return summary.langspec_f1.set_index(["mask_set", "mask_language"]).loc[(mask_set, code)]


def test_a_selective_mask_by_hand(summary: Summary) -> None:
    """30 of 100 English questions lost, 10 Vietnamese, 4 Chinese."""
    row = effect(summary, "selective", "en")
    assert (row["d"], row["d_language"]) == (pytest.approx(0.3 - 0.1), "vi")
    assert 0.05 < row["d_low"] < row["d"] < row["d_high"] < 0.35
    assert row["d_p"] < 0.005
    compared = summary.contrasts.set_index(["mask_set", "mask_language", "compared_with"])
    zh, vi = (compared.loc[("selective", "en", other)] for other in ("zh", "vi"))
    assert (zh["difference"], vi["difference"]) == pytest.approx((0.26, 0.2))
    assert row[["d", "d_low", "d_high"]].tolist() == pytest.approx(
        vi[["difference", "difference_low", "difference_joint_high"]].tolist()
    )
    assert vi["difference_joint_high"] > vi["difference_high"], "it is the smallest of two"
    lost = ["lost", "lost_low", "lost_high", "other_lost", "other_lost_low", "other_lost_high"]
    drops = summary.scores.set_index(["mask_set", "mask_language", "benchmark"])[
        ["drop", "drop_low", "drop_high"]
    ]
    own, other = (drops.loc[("selective", "en", f"quiz_{code}")].tolist() for code in ("en", "vi"))
    assert vi[lost].tolist() == pytest.approx([*own, *other], abs=1e-6)
    assert vi["smallest_p"] == 1 / 2001
    assert row["d_p"] == max(zh["p"], vi["p"])


def test_a_mask_that_destroys_everything_is_not_selective_although_its_f1_is_two_thirds(
    summary: Summary,
) -> None:
    for code in LANGUAGES:
        row = effect(summary, "destroyed", code)
        assert row["f1"] == pytest.approx(2 / 3, abs=1e-6)
        assert row[["d", "d_low", "d_high"]].tolist() == [0, 0, 0] and row["d_p"] == 1


def test_a_mask_without_effect(summary: Summary) -> None:
    for code in LANGUAGES:
        assert effect(summary, "none", code)[["d", "d_low", "d_high", "d_p"]].tolist() == [0, 0, 0, 1]


def test_a_small_difference_is_not_significant(summary: Summary) -> None:
    row = effect(summary, "selective", "vi")
    assert row["d"] == pytest.approx(0.01) and row["d_p"] > 0.2
    assert row["d_low"] <= 0.0 <= row["d_high"]


def test_four_questions_are_too_few_whatever_the_mask_does() -> None:
    """The bootstrap's interval is a point; four questions decide nothing at .05 if exchanged, at .01 if dealt out."""
    lost = {("selective", "en"): {"en": 4}}
    paired, apart = (
        summarise(quiz(lost, questions=4), facts, resamples=4000).langspec_f1.iloc[0]
        for facts in (PARALLEL, QUIZ)
    )
    for row in (paired, apart):
        assert row[["d", "d_low", "d_high"]].tolist() == [1, 1, 1]
    assert paired["d_p"] == pytest.approx(1 / 2**4, abs=0.015) and paired["d_p"] > 0.05
    assert apart["d_p"] == pytest.approx(1 / 70, abs=0.008)


def test_questions_that_are_the_same_are_compared_with_each_other() -> None:
    """The first 30 questions lost in English, the first 25 in the others: five differ, and none the other way round."""
    lost = {("selective", "en"): {"en": 30, "zh": 25, "vi": 25}}
    paired, apart = (
        summarise(quiz(lost), facts, resamples=4000).langspec_f1.iloc[0] for facts in (PARALLEL, QUIZ)
    )
    assert paired["d"] == apart["d"] == pytest.approx(0.05)
    assert paired["d_p"] == pytest.approx(binom.sf(4, 5, 0.5), abs=0.012) and apart["d_p"] > 0.15
    assert paired["d_low"] > 0 > apart["d_low"]


def test_identical_effects_in_a_parallel_suite_differ_by_nothing_in_every_resample() -> None:
    rng = np.random.default_rng(0)
    frame = quiz({("some", code): {} for code in LANGUAGES})
    answers = rng.integers(0, 2, (2, 100)).astype(float)
    frame["value"] = answers[(frame["mask_set"] != "original").to_numpy().astype(int), frame["doc_id"]]
    together, apart = (summarise(frame, facts, resamples=500) for facts in (PARALLEL, QUIZ))
    bounds = ["difference_low", "difference_high"]
    assert (together.contrasts[["difference", *bounds]] == 0).all(axis=None)
    assert (apart.contrasts[bounds].abs() > 0.05).all(axis=None)
    drops = together.scores[together.scores["mask_set"] == "some"]
    assert (drops.groupby("mask_language")[["drop_low", "drop_high"]].nunique() == 1).all(axis=None)


def test_without_any_score_in_one_language_nothing_is_said() -> None:
    frame = quiz(MASKS)
    unscored = (
        (frame["mask_set"] == "selective")
        & (frame["mask_language"] == "en")
        & (frame["benchmark"] == "quiz_vi")
    )
    frame.loc[unscored, "value"] = np.nan
    for facts in (PARALLEL, QUIZ):
        summary = summarise(frame, facts, resamples=200)
        row = effect(summary, "selective", "en")
        assert row[["d", "d_low", "d_high", "d_p"]].isna().all() and row["d_language"] is None
        compared = summary.contrasts.set_index(["mask_set", "mask_language", "compared_with"])
        assert compared.loc[("selective", "en", "zh")].notna().all()
        assert effect(summary, "selective", "zh")["d"] == pytest.approx(0.23)


def test_unscored_questions_are_left_out_of_both_sides() -> None:
    """Of 30 lost English questions 10 have no score: 20 of 90 are lost."""
    frame = quiz({("selective", "en"): {"en": 30}})
    masked = (frame["mask_set"] == "selective") & (frame["benchmark"] == "quiz_en")
    frame.loc[masked & (frame["doc_id"] < 10), "value"] = np.nan
    for facts in (PARALLEL, QUIZ):
        row = summarise(frame, facts, resamples=500).langspec_f1.iloc[0]
        assert row["d"] == pytest.approx(20 / 90) and row["d_p"] < 0.01


def test_two_languages_dissociate_if_each_mask_hurts_its_own_more(summary: Summary) -> None:
    """en - zh: 30 against 4, and 25 against 2. en - vi: 30 against 10, but 7 against 6."""
    pairs = dissociations(summary.contrasts, LANGUAGES).set_index(["mask_set", "first", "second"])
    assert len(pairs) == 3 * 3
    both = pairs.loc[("selective", "en", "zh")]
    assert (both["first_difference"], both["second_difference"]) == pytest.approx((0.26, 0.23))
    assert both["difference"] == pytest.approx(0.23) and both["difference_low"] > 0
    assert both["p"] == max(both["first_p"], both["second_p"]) < 0.001
    one = pairs.loc[("selective", "en", "vi")]
    assert (one["first_difference"], one["second_difference"]) == pytest.approx((0.2, 0.01))
    assert one["first_p"] < 0.01 and one["p"] == one["second_p"] > 0.2
    for mask_set in ("destroyed", "none"):
        assert (pairs.loc[mask_set, ["first_p", "second_p", "p"]] == 1).all(axis=None)
    swapped = dissociations(summary.contrasts, ("zh", "en", "vi")).set_index(["mask_set", "first", "second"])
    again = swapped.loc[("selective", "zh", "en")]
    assert (again["first_difference"], again["second_difference"]) == pytest.approx((0.23, 0.26))
    assert again["p"] == both["p"]


@pytest.mark.parametrize("paired", [True, False], ids=["parallel", "apart"])
@pytest.mark.parametrize("languages", [("en", "zh"), LANGUAGES], ids=["two languages", "three languages"])
def test_random_masks_are_found_selective_in_at_most_as_many_studies_as_the_level_says(
    languages: tuple[str, ...], paired: bool
) -> None:
    """1,000 studies of 60 questions, in each a mask that changes answers at random, in all languages alike."""
    rng = np.random.default_rng(3)
    losses = {}
    for study in range(1000):
        before = rng.random(60) < 0.9  # a question is as hard in all languages
        for code in languages:
            changed = rng.random(60) < np.where(before, 0.15, 0.3)
            lost = np.where(changed, np.where(before, 1.0, -1.0), 0.0)
            units = Losses(lost, np.ones(60))
            losses[f"random-{study}", "en", code] = Loss(lost.mean(), np.zeros(1), units)
    found = contrasts(losses, paired=paired, resamples=199, seed=0, name="quiz").assign(
        model="base", suite="quiz"
    )
    p = selectivity(found)["d_p"]
    assert len(p) == 1000
    assert (p <= 0.05).mean() <= 0.06
    assert (p <= 0.05).mean() > (0.01 if len(languages) == 2 else 0), "it could reject at all"


def test_d_of_nothing_is_undefined() -> None:
    contrast = {"model": "base", "suite": "quiz", "mask_set": "a", "mask_language": "en", "difference_low": np.nan,
                "difference_joint_high": np.nan}  # fmt: skip
    frame = pd.DataFrame([
        {**contrast, "compared_with": "zh", "difference": np.nan, "p": np.nan},
        {**contrast, "compared_with": "vi", "difference": 0.1, "p": 0.2},
    ])  # fmt: skip
    row = selectivity(frame).iloc[0]
    assert row[["d", "d_low", "d_high", "d_p"]].isna().all() and row["d_language"] is None
