"""What a study knows of its mask sets is joined to the results."""

import pandas as pd
import pytest
from crane.scores.mask_sets import with_groups, with_null, with_tests
from crane.scores.null_distribution import COLUMNS, against_random
from crane.scores.significance import over_masks

LANGUAGES = ["en", "zh"]
GROUPS = {
    "original": {"group": "original", "method": "original", "intervention": {}},
    "crane": {"group": "crane", "method": "crane", "intervention": {}},
    "damped": {"group": "damped", "method": "crane", "intervention": {"scale": 0.5}},
    **{f"random-{seed}": {"group": "random", "method": "random", "intervention": {}} for seed in range(3)},
}
SUMMARIES = {
    name: {code: {"total": 3, "layers": [1, 2] if code == "en" else [3, 0]} for code in LANGUAGES}
    for name in GROUPS
    if name != "original"
}


@pytest.fixture
def langspec_f1() -> pd.DataFrame:
    rows = [
        {"model": "base", "mask_set": name, "mask_language": code, "suite": "quiz", "f1": 0.1 * place,
         "d_p": 0.02 * (1 + place)}
        for place, name in enumerate(SUMMARIES) for code in LANGUAGES
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture
def scores() -> pd.DataFrame:
    rows = [
        {"model": "base", "mask_set": name, "mask_language": code, "benchmark": f"quiz_{language}",
         "language": language, "suite": "quiz", "p": 0.01 * (1 + place)}
        for place, name in enumerate(SUMMARIES) for code in LANGUAGES for language in LANGUAGES
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_groups_are_the_last_columns_or_stand_where_they_are_wanted(langspec_f1: pd.DataFrame) -> None:
    before = langspec_f1.copy()
    last = with_groups(langspec_f1, GROUPS)
    assert list(last.columns) == [*before.columns, "method", "label"]
    placed = with_groups(langspec_f1, GROUPS, place=2)
    assert list(placed.columns)[:5] == ["model", "mask_set", "label", "method", "mask_language"]
    for frame in (last, placed):
        known = frame.drop_duplicates("mask_set").set_index("mask_set")
        assert known["label"].to_dict() == {name: GROUPS[name]["group"] for name in SUMMARIES}
        assert known["method"].to_dict() == {name: GROUPS[name]["method"] for name in SUMMARIES}
    pd.testing.assert_frame_equal(langspec_f1, before)


def test_a_mask_set_of_another_study_is_an_error(langspec_f1: pd.DataFrame) -> None:
    with pytest.raises(KeyError, match="unknown"):
        with_groups(langspec_f1.assign(mask_set="unknown"), GROUPS)


def test_tests_are_adjusted_over_the_masks_that_are_no_null(scores: pd.DataFrame) -> None:
    joined = with_tests(scores, GROUPS)
    pd.testing.assert_series_equal(joined["p_holm"], over_masks(joined), check_names=False)
    assert joined.loc[joined["method"] == "random", "p_holm"].isna().all()
    crane = joined[(joined["mask_set"] == "crane") & (joined["benchmark"] == "quiz_en")]
    assert (crane["p_holm"] > crane["p"]).all()


def test_effects_get_their_neurons_and_their_place_among_the_random_sets(langspec_f1: pd.DataFrame) -> None:
    joined = with_null(langspec_f1, GROUPS, SUMMARIES)
    assert set(joined["neurons"]) == {3}
    layers = {
        name: {code: facts["layers"] for code, facts in counts.items()} for name, counts in SUMMARIES.items()
    }
    interventions = {name: GROUPS[name]["intervention"] for name in SUMMARIES}
    expected = against_random(with_groups(langspec_f1, GROUPS), layers, interventions)
    pd.testing.assert_frame_equal(joined[COLUMNS], expected)
    kinds = joined.drop_duplicates("mask_set").set_index("mask_set")["null_likeness"]
    assert kinds["crane"] == "same layers"
    assert kinds["damped"] == "other intervention", "random sets are masked, its neurons are not"
    assert joined.loc[joined["method"] == "random", "null"].isna().all()
    tested = joined[joined["null_p"].notna() & (joined["model"] == joined["model"].iloc[0])]
    assert len(tested) > 1
    assert tested["null_p_holm"].min() == pytest.approx(min(1, len(tested) * tested["null_p"].min()))
    assert joined.loc[joined["method"] == "random", "null_p_holm"].isna().all()


def test_p_of_selectivity_is_adjusted_over_the_masks_of_a_suite_that_are_no_null(
    langspec_f1: pd.DataFrame,
) -> None:
    """Four masks: crane's p is 0.02, damped's 0.04, in both languages; random masks are not counted."""
    both = pd.concat([langspec_f1, langspec_f1.assign(suite="open", d_p=0.5)], ignore_index=True)
    joined = with_null(both, GROUPS, SUMMARIES).set_index(["suite", "mask_set", "mask_language"])["d_p_holm"]
    assert joined["quiz", "crane"].tolist() == pytest.approx([0.08, 0.08])
    assert joined["quiz", "damped"].tolist() == pytest.approx([0.08, 0.08])
    assert joined["quiz", "random-0"].isna().all() and joined["open", "crane"].tolist() == [1, 1]


def test_neurons_are_those_of_the_masked_language(langspec_f1: pd.DataFrame) -> None:
    summaries = {
        name: {code: {**facts, "total": 5 if code == "en" else 7} for code, facts in counts.items()}
        for name, counts in SUMMARIES.items()
    }
    joined = with_null(langspec_f1, GROUPS, summaries)
    assert joined.groupby("mask_language")["neurons"].unique().map(list).to_dict() == {"en": [5], "zh": [7]}
