"""A part of a benchmark's questions: shares of strata, whole passages, the same questions in parallel languages."""

import pandas as pd
import pytest
from crane.scores.question_sample import draw_questions


def prompts(strata: dict[str, int], task: str = "quiz_en", passage: int = 0) -> pd.DataFrame:
    """Return questions of these strata; with `passage`, so many in a row share a passage."""
    rows = [
        {"task": task, "doc_id": number, "stratum": stratum, "cluster": ""}
        for number, stratum in enumerate(name for name, count in strata.items() for _ in range(count))
    ]
    for row in rows:
        number = int(str(row["doc_id"]))
        row["cluster"] = f"link {number // passage}" if passage else f"{task}/{number}"
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (10, {"a": 5, "b": 3, "c": 2}),
        (7, {"a": 4, "b": 2, "c": 1}),
        (2, {"a": 1, "b": 1}),
        (99, None),
        (1000, None),
    ],
)
def test_strata_get_their_share_by_the_largest_remainders(
    count: int, expected: dict[str, int] | None
) -> None:
    whole = prompts({"a": 50, "b": 30, "c": 20})
    part = draw_questions(whole, count, 0)
    assert (
        len(part) == min(count, 100) and part["doc_id"].is_monotonic_increasing and part["doc_id"].is_unique
    )
    assert expected is None or part["stratum"].value_counts().to_dict() == expected


def test_the_seed_decides_and_a_larger_part_has_the_smaller_one() -> None:
    whole = prompts({"a": 200})
    parts = {count: set(draw_questions(whole, count, 3)["doc_id"]) for count in (20, 40)}
    assert parts[20] < parts[40]
    assert set(draw_questions(whole, 20, 3)["doc_id"]) == parts[20]
    assert set(draw_questions(whole, 20, 4)["doc_id"]) != parts[20]


def test_parallel_benchmarks_give_the_same_questions() -> None:
    english = draw_questions(prompts({"capital": 40, "river": 60}, "quiz_en"), 17, 0)
    chinese = draw_questions(prompts({"首都": 40, "江": 60}, "quiz_zh").assign(stratum=lambda rows: rows["stratum"].map(
        {"首都": "a", "江": "b"})), 17, 0)  # fmt: skip
    assert english["doc_id"].tolist() == chinese["doc_id"].tolist()
    shuffled = prompts({"all": 60}, "quiz_vi", passage=3).sample(frac=1, random_state=0)
    shuffled["doc_id"] = range(60)  # the passages come in another order
    passages = draw_questions(prompts({"all": 60}, "quiz_en", passage=3), 15, 0)
    assert set(draw_questions(shuffled, 15, 0)["cluster"]) == set(passages["cluster"])


def test_passages_are_drawn_whole() -> None:
    part = draw_questions(prompts({"all": 60}, passage=4), 10, 0)
    assert len(part) == 12 and set(part["cluster"].value_counts()) == {4}
