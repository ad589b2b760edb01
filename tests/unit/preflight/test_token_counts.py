"""Tokens are counted in the files that exist, and assumed where they do not."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from crane.artefacts import write_table
from crane.preflight.assumptions import Assumptions
from crane.preflight.token_counts import (
    BLOCK,
    benchmark_tokens,
    computed_tokens,
    held_out_tokens,
    open_question_counts,
    question_count,
    sample_tokens,
)
from crane.study.study import Study
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.usefixtures("elsewhere")
ASSUMED = Assumptions()


def samples(*lengths: int) -> pd.DataFrame:
    return pd.DataFrame({"input_ids": [np.arange(length) for length in lengths]})


# Corpora ------------------------------------------------------------------------------------------------


def test_samples_are_counted_once_there_is_a_corpus(paper: dict[str, Any]) -> None:
    study = Study(paper)
    assert sample_tokens(study, "vi", ASSUMED) == 5000 * 512
    write_table(samples(3, 10, 7), f"{study.results}/corpora/base/vi.parquet", {})
    assert sample_tokens(study, "vi", ASSUMED) == 20
    assert sample_tokens(study, "en", ASSUMED) == 5000 * 512
    paper["corpora"].update(sample="document", max_tokens=2048)
    assert sample_tokens(Study(paper), "en", ASSUMED) == pytest.approx(5000 * 2048 * 0.3)


def test_held_out_texts_are_counted_once_they_are_drawn(paper: dict[str, Any]) -> None:
    paper["perplexity"] = {"mask_sets": ["crane"], "transfer": True, "documents": 50, "max_tokens": 100}
    study = Study(paper)
    assert held_out_tokens(study, "chat", "en", ASSUMED) == pytest.approx(50 * 100 * 0.3)
    write_table(samples(5, 6), f"{study.results}/held_out/chat/en.parquet", {})
    assert held_out_tokens(study, "chat", "en", ASSUMED) == 11
    assert held_out_tokens(study, "base", "en", ASSUMED) == pytest.approx(50 * 100 * 0.3)


# Questions ----------------------------------------------------------------------------------------------


def test_questions_of_published_tasks_are_known(paper: dict[str, Any]) -> None:
    study = Study(paper)
    counts = {name: question_count(study, name) for name in ("mmlu", "ceval", "belebele_vi", "parallel_en")}
    assert counts == {"mmlu": 14042, "ceval": 1346, "belebele_vi": 900, "parallel_en": 900}
    paper["benchmarks"]["mmlu"]["task"] = "arc_easy"
    assert question_count(Study(paper), "mmlu") == 1000


def test_questions_of_ones_own_files_are_their_lines(local: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "vi.jsonl"
    path.write_text('{"question": "a"}\n\n{"question": "b"}\n{"question": "c"}\n', encoding="utf-8")
    assert question_count(Study(local), "quiz_vi") == 3
    path.unlink()
    assert question_count(Study(local), "quiz_vi") == 1000


def test_generated_questions_are_as_many_as_the_demo_makes(demo_config: dict[str, Any]) -> None:
    study = Study(demo_config)
    assert question_count(study, "quiz_vi") == 200
    assert open_question_counts(study, ASSUMED) == dict.fromkeys(["en", "zh", "vi"], 40)


def test_open_questions_are_the_lines_of_their_files(local: dict[str, Any], tmp_path: Path) -> None:
    local["open_questions"]["files"]["zh"] = str(tmp_path / "zh.txt")
    (tmp_path / "zh.txt").write_text("one\n\ntwo\nthree\n", encoding="utf-8")
    (tmp_path / "open-vi.jsonl").unlink()
    assert open_question_counts(Study(local), ASSUMED) == {"en": 1, "zh": 3, "vi": 70}


# Prompts ------------------------------------------------------------------------------------------------


def prompts(rows: list[tuple[list[list[int]], list[list[int]]]]) -> pd.DataFrame:
    """Return a file of prompts as `crane.evaluation.prompts.render_benchmark` makes it: contexts and choices."""
    kept = [tuple([np.array(ids, np.int32) for ids in part] for part in row) for row in rows]
    return pd.DataFrame(kept, columns=["contexts", "choices"])


LETTERS = [[1], [2], [3], [4]]
EXAMPLES = list(range(100, 100 + 3 * BLOCK))
ONE_TOKEN = [([[*EXAMPLES, 7, 8, 9]], LETTERS), ([[*EXAMPLES, 7, 9]], LETTERS)]
LONG_CHOICES = [([[5, 6, 7]], [[1, 2], [3, 4, 5]])]
CONTEXT_EACH = [([[5, 6], [5, 7, 8]], [[1], [2, 3]])]


@pytest.mark.parametrize(
    ("engine", "rows", "expected"),
    [
        ("hf", ONE_TOKEN, (3 * BLOCK + 3) + (3 * BLOCK + 2)),  # one forward pass for all letters
        ("vllm", ONE_TOKEN, (3 * BLOCK + 2) + 3),  # the second finds three blocks in the cache
        ("hf", LONG_CHOICES, 3 + 1 + 2),  # the context once, and no choice's last token
        ("vllm", LONG_CHOICES, (3 + 2) + (3 + 3)),
        ("hf", CONTEXT_EACH, (2 + 0) + (3 + 1)),
        ("vllm", [*ONE_TOKEN, *CONTEXT_EACH], (3 * BLOCK + 2) + 3 + (2 + 1) + (3 + 2)),
    ],
)
def test_prompts_are_counted_as_the_engine_computes_them(
    paper: dict[str, Any], engine: str, rows: list[Any], expected: int
) -> None:
    paper["engine"] = engine
    study = Study(paper)
    write_table(prompts(rows), f"{study.results}/prompts/chat/mmlu.parquet", {})
    assert benchmark_tokens(study, "chat", "mmlu", ASSUMED) == expected
    assert benchmark_tokens(study, "base", "mmlu", ASSUMED) > 10**6, "no prompts of this model yet"


def test_without_prompts_a_cached_example_costs_nothing(paper: dict[str, Any]) -> None:
    cached = benchmark_tokens(Study(paper), "base", "mmlu", ASSUMED)
    assert cached == pytest.approx(14042 * 178)
    paper["engine"] = "hf"
    assert benchmark_tokens(Study(paper), "base", "mmlu", ASSUMED) == pytest.approx(6 * cached)


def by_brute_force(contexts: list[list[int]]) -> int:
    """Return the tokens that are in no whole block of a cache that keeps every prefix of what was sent before."""
    cache: set[tuple[int, ...]] = set()
    computed = 0
    for context in sorted(contexts):
        whole = range(BLOCK, len(context) + 1, BLOCK)
        hit = max((end for end in whole if tuple(context[:end]) in cache), default=0)
        computed += len(context) - hit
        cache |= {tuple(context[:end]) for end in whole}
    return computed


@given(st.lists(st.tuples(st.integers(0, 70), st.integers(0, 3), st.integers(0, 40)), max_size=12))
@settings(max_examples=200, deadline=None)
def test_computed_tokens_are_those_outside_of_a_prefix_cache(drawn: list[tuple[int, int, int]]) -> None:
    """Contexts share prefixes of any length: some tokens of one text, a number of their own, then equal ones."""
    contexts = [[*range(shared), 1000 + number, *[5] * rest] for shared, number, rest in drawn]
    assert computed_tokens(contexts) == by_brute_force(contexts)


def test_computed_tokens_by_hand() -> None:
    shared = list(range(2 * BLOCK))
    assert computed_tokens([]) == 0
    assert computed_tokens([shared]) == 2 * BLOCK
    assert computed_tokens([[*shared, 1], [*shared, 2], [*shared, 3, 4]]) == 2 * BLOCK + 1 + 1 + 2
    assert computed_tokens([shared[: BLOCK + 3], shared]) == BLOCK + 3 + BLOCK, "shared in whole blocks only"
