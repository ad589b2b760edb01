"""Verdicts on made-up results: of methods that work, do nothing or break everything, and of too few questions."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from crane.results.answers import (
    AS_RANDOM,
    DAMAGE,
    NO_LOSS,
    SELECTIVE,
    TOO_FEW,
    UNCOMPARED,
    UNDECIDED,
    UNMEASURED,
    VERDICTS,
    answer_rows,
    verdict,
)
from support.made_up_methods import LABELS, contrasts, groups, stability, summaries

WORKS: dict[str, Any] = {
    "d": 0.2, "d_low": 0.1, "d_p_holm": 0.01, "smallest_p": 0.001, "hypotheses": 6, "lost_low": 0.2,
    "others_lost_low": 0.05, "random_seeds": 40, "random_reaching": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, SELECTIVE),
        ({"random_reaching": 2}, SELECTIVE),
        ({"random_reaching": 3}, AS_RANDOM),
        ({"random_seeds": 5, "random_reaching": 1}, AS_RANDOM),
        ({"random_seeds": 0}, UNCOMPARED),
        ({"d_p_holm": 0.05}, DAMAGE),
        ({"d_low": 0.0}, DAMAGE),
        ({"d_p_holm": 0.05, "others_lost_low": 0.0}, UNDECIDED),
        ({"d_p_holm": 0.05, "lost_low": 0.0}, NO_LOSS),
        ({"d": -0.2, "d_low": -0.3, "d_p_holm": 1.0, "lost_low": -0.1}, NO_LOSS),
        ({"smallest_p": 0.05 / 6, "d_p_holm": 0.05}, TOO_FEW),
        ({"smallest_p": 0.05 / 6}, SELECTIVE),
        ({"d": np.nan, "d_p_holm": np.nan}, UNMEASURED),
    ],
)
def test_each_verdict_has_its_rule(changed: dict[str, Any], expected: str) -> None:
    assert verdict({**WORKS, **changed}) == expected


def test_every_verdict_says_what_it_means() -> None:
    named = (SELECTIVE, AS_RANDOM, DAMAGE, UNDECIDED, NO_LOSS, TOO_FEW, UNCOMPARED, UNMEASURED)
    assert set(VERDICTS) == set(named)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return answer_rows({"contrasts": contrasts()}, summaries(), groups(), LABELS, stability=stability())


def test_made_up_methods_get_their_verdicts(rows: pd.DataFrame) -> None:
    found = rows.groupby("label", sort=False)["verdict"].unique().map(list).to_dict()
    assert found == {"works": [SELECTIVE], "idle": [NO_LOSS], "breaks": [DAMAGE]}


def test_references_are_no_rows(rows: pd.DataFrame) -> None:
    assert set(rows["method"]) == {"crane"} and set(rows["hypotheses"]) == {9}


def test_a_mask_is_compared_with_the_random_set_that_is_most_similar(rows: pd.DataFrame) -> None:
    """Of the two random sets, one has as many neurons in each layer."""
    assert set(rows["random"]) == {"random"} and set(rows["random_likeness"]) == {"same layers"}
    assert set(rows["random_seeds"]) == {4}
    works = rows[rows["label"] == "works"]
    assert works["random_reaching"].tolist() == [0, 0, 0] and set(works["random_p"]) == {1 / 5}
    idle = rows[rows["label"] == "idle"]
    assert (idle["random_reaching"] > 0).all(), "an idle mask has the D of the random ones"


def test_four_questions_are_too_few_even_if_all_are_lost() -> None:
    few = answer_rows({"contrasts": contrasts(questions=4)}, summaries(), groups(), LABELS)
    assert set(few["verdict"]) == {TOO_FEW}
    assert few["split_half"].isna().all()


def test_a_study_without_random_masks_says_that_there_are_none() -> None:
    compared = contrasts()
    alone = answer_rows(
        {"contrasts": compared[compared["method"] != "random"]}, summaries(), groups(), LABELS
    )
    assert alone["random"].isna().all() and set(alone["random_seeds"]) == {0}
    assert set(alone.loc[alone["label"] == "works", "verdict"]) == {UNCOMPARED}


def test_random_sets_of_another_size_are_no_null() -> None:
    counts = summaries()
    larger = {"total": 13, "layers": [6, 7]}
    other = {name: dict.fromkeys(each, larger) if "-" in name else each for name, each in counts.items()}
    alone = answer_rows({"contrasts": contrasts()}, other, groups(), LABELS)
    assert alone["random"].isna().all()
    assert set(alone.loc[alone["label"] == "works", "verdict"]) == {UNCOMPARED}


def test_equal_ds_are_equal_whatever_their_last_digit() -> None:
    compared = contrasts()
    drawn, works = compared["label"] == "random", compared["label"] == "works"
    values = compared.loc[works].set_index(["mask_language", "compared_with"])["difference"]
    where = pd.MultiIndex.from_frame(compared.loc[drawn, ["mask_language", "compared_with"]])
    compared.loc[drawn, "difference"] = values.reindex(where).to_numpy() - 1e-16
    rows = answer_rows({"contrasts": compared}, summaries(), groups(), LABELS)
    of_works = rows[rows["label"] == "works"]
    assert set(of_works["random_reaching"]) == {4} and set(of_works["verdict"]) == {AS_RANDOM}


def test_too_few_questions_of_any_other_language_are_too_few(rows: pd.DataFrame) -> None:
    """D has to pass against every other language."""
    compared = contrasts()
    one = (compared["mask_language"] == "en") & (compared["compared_with"] == "vi")
    compared.loc[one, ["smallest_p", "p"]] = 0.06
    found = answer_rows({"contrasts": compared}, summaries(), groups(), LABELS).set_index(
        ["label", "mask_language"]
    )
    assert found.loc[("works", "en"), "smallest_p"] == 0.06
    assert found.loc[("works", "en"), "verdict"] == TOO_FEW
    assert rows["smallest_p"].max() < 0.06


def test_any_other_language_that_certainly_loses_makes_damage() -> None:
    """Not only the one that loses most."""
    compared = contrasts()
    mine = (compared["label"] == "breaks") & (compared["mask_language"] == "en")
    compared.loc[mine & (compared["compared_with"] == "zh"), ["other_lost_low"]] = -0.1
    compared.loc[mine & (compared["compared_with"] == "vi"), ["difference", "other_lost"]] += [0.1, -0.1]
    found = answer_rows({"contrasts": compared}, summaries(), groups(), LABELS).set_index(
        ["label", "mask_language"]
    )
    row = found.loc[("breaks", "en")]
    assert (row["d_language"], row["other_lost_low"], row["verdict"]) == ("zh", -0.1, DAMAGE)


def test_references_alone_have_no_verdict() -> None:
    compared = contrasts()
    alone = answer_rows(
        {"contrasts": compared[compared["method"] == "random"]}, summaries(), groups(), LABELS
    )
    assert alone.empty
