"""The units of the bootstrap: the same in all languages of a parallel suite, which is refused if they are not."""

import numpy as np
import pandas as pd
import pytest
from crane.artefacts import ArtefactError
from crane.scores.summary import summarise
from crane.scores.units import per_unit, resampling_units
from support.masked_answers import PARALLEL, QUIZ, quiz

LOST = {("crane", "en"): {"en": 10}}


def questions(language: str, clusters: list[str] | None = None) -> pd.DataFrame:
    tasks = [f"{subject}_{language}" for subject in ("law", "law", "art", "art")]
    numbers = [0, 1, 0, 1]
    alone = [f"{task}/{number}" for task, number in zip(tasks, numbers, strict=True)]
    return pd.DataFrame({"task": tasks, "doc_id": numbers, "stratum": tasks, "cluster": clusters or alone})


def test_units_of_a_parallel_suite_do_not_depend_on_the_language() -> None:
    en, vi = (resampling_units(questions(code), parallel=True) for code in ("en", "vi"))
    pd.testing.assert_frame_equal(en, vi)
    assert en["stratum"].tolist() == ["1", "1", "0", "0"], "art comes before law"
    assert not en.duplicated().any()
    apart = resampling_units(questions("en"), parallel=False)
    pd.testing.assert_frame_equal(apart, questions("en")[["stratum", "cluster"]])


def test_passages_keep_their_names() -> None:
    units = resampling_units(questions("en", ["a", "a", "b", "c"]), parallel=True)
    assert units["cluster"].tolist() == ["a", "a", "b", "c"]


def test_values_are_summed_in_the_order_of_the_units_names() -> None:
    units = resampling_units(questions("en", ["a", "a", "c", "b"]), parallel=True)
    summed = per_unit(units, np.array([[1.0, 2, 4, 8], [0, 1, 0, 1]]))
    np.testing.assert_array_equal(summed, [[8, 4, 3], [1, 0, 1]])  # b and c of art, a of law


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda items: items[~((items["benchmark"] == "quiz_vi") & (items["doc_id"] == 7))],
         "'quiz_en' has 20 questions in 20 units and 'quiz_vi' has 19 questions in 19 units; 0/0/7 is in one of them"),
        (lambda items: items.assign(cluster=np.where(items["benchmark"] == "quiz_vi", "passage", items["cluster"])),
         "'quiz_vi' has 20 questions in 1 units"),
    ],
    ids=["a question less", "other passages"],
)  # fmt: skip
def test_a_suite_that_is_not_parallel_is_refused(change, message: str) -> None:
    spoilt = change(quiz(LOST, questions=20))
    with pytest.raises(
        ArtefactError, match="model 'base', suite 'quiz' is declared parallel, but .*" + message
    ):
        summarise(spoilt, PARALLEL, resamples=10)
    assert len(summarise(spoilt, QUIZ, resamples=10).langspec_f1) == 1
