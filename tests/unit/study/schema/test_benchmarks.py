"""Which suites can be declared parallel."""

from typing import Any

import pytest
from crane.study.check import check
from support.study_config import REMOVE, changed, messages

REST = {"published": REMOVE, "sweeps": REMOVE}
CONTINUATION = {
    f"benchmarks__quiz_{code}": {
        "label": code, "language": code, "source": "continuation", "questions": 8, "context_tokens": 8,
        "continuation_tokens": 4,
    }
    for code in ("en", "zh", "vi")
}  # fmt: skip


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({"scores__parallel": ["quizz"]}, "'quizz' is not a suite of this study; there are: quiz, open"),
        (CONTINUATION, "'quiz': continuation questions are other ones in each language; remove it"),
        ({"benchmarks__quiz_vi__overlong": "drop"}, "'quiz': quiz_vi leaves out long questions, in one language and"),
        ({"scores__parallel": ["quiz", "quiz"]}, ""),
    ],
)  # fmt: skip
def test_suites_that_cannot_be_parallel(config: dict[str, Any], edits: dict[str, Any], expected: str) -> None:
    (line,) = messages(changed(config, **edits, **REST))
    assert line.strip().startswith(f"scores.parallel: {expected}")


def test_a_list_of_parallel_suites_may_be_missing_or_name_open_questions(config: dict[str, Any]) -> None:
    for parallel in (REMOVE, [], ["open"], ["quiz", "open"]):
        check(changed(config, scores__parallel=parallel, **REST))
