"""Tokens that a study reads: counted in files that exist, estimated for those that do not."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crane.artefacts import read_table
from crane.preflight.assumptions import Assumptions
from crane.study.study import Study
from crane.texts.blank import is_blank
from crane.texts.files import single_file
from crane.texts.records import read_records

if TYPE_CHECKING:
    from crane.evaluation.engine import Question

QUESTIONS = {"mmlu": 14042, "ceval-valid": 1346, "belebele": 900}
"""Questions of published tasks, by the beginning of their names."""
CHOICES = 4
BLOCK = 16
"""Tokens of a block of vLLM's prefix cache on a GPU: prefixes are shared in whole blocks."""


def sample_tokens(study: Study, language: str, assumed: Assumptions) -> float:
    """Return the tokens of a language's relevance sample."""
    path = Path(f"{study.results}/corpora/{study.identification_model}/{language}.parquet")
    corpora = study.config["corpora"]
    if path.exists():
        return float(read_table(path, ["input_ids"])["input_ids"].map(len).sum())
    share = assumed.sample_share if study.inputs.relevance_sample()["sample"] == "document" else 1
    return corpora["documents"] * corpora["max_tokens"] * share


def held_out_tokens(study: Study, model: str, language: str, assumed: Assumptions) -> float:
    """Return the tokens of a language's held-out texts."""
    path = Path(f"{study.results}/held_out/{model}/{language}.parquet")
    if path.exists():
        return float(read_table(path, ["input_ids"])["input_ids"].map(len).sum())
    asked = study.config["perplexity"]
    return asked["documents"] * asked["max_tokens"] * assumed.sample_share


def _records(path: str | Path, field: str) -> int:
    """Return the number of records of a file; a blank line of text is none."""
    values = (record.fields.get(field) for record in read_records(single_file(path), field))
    return sum(not isinstance(value, str) or not is_blank(value) for value in values)


def question_count(study: Study, name: str) -> int:
    """Return the number of a benchmark's questions.

    Raises:
        TextError: its file cannot be read.
    """
    benchmark = study.config["benchmarks"][name]
    if name in study.inputs.continuations():
        return benchmark["questions"]
    if benchmark.get("data") == "generated":
        return study.config["demo"]["data"]["benchmark"]
    if "data" in benchmark and Path(benchmark["data"]).exists():
        return _records(benchmark["data"], "question")
    return next((n for task, n in QUESTIONS.items() if benchmark["task"].startswith(task)), 1000)


def benchmark_tokens(study: Study, model: str, name: str, assumed: Assumptions) -> float:
    """Return the tokens computed for all questions of a benchmark under one mask.

    vLLM takes the solved examples of questions with single-token choices from its prefix cache; `hf` computes them, but
    every context once for all its choices.
    """
    path = Path(f"{study.results}/prompts/{model}/{name}.parquet")
    if path.exists():
        return _tokens_of(path, study)
    benchmark = study.config["benchmarks"][name]
    if name in study.inputs.continuations():
        each = benchmark["context_tokens"] + CHOICES * benchmark["continuation_tokens"]
        return benchmark["questions"] * each
    fewshot = benchmark["fewshot"]
    each = 1 if study.config["engine"] == "vllm" else 1 + fewshot
    return question_count(study, name) * each * assumed.tokens_per_question


def sampled_share(study: Study, name: str, count: int) -> float:
    """Return how much of a benchmark's questions a part of `count` is."""
    return min(1.0, count / question_count(study, name))


def sampled_tokens(study: Study, model: str, name: str, count: int, assumed: Assumptions) -> float:
    """Return the tokens computed for a part of a benchmark's questions: counted, or a share of all until it exists."""
    path = Path(f"{study.results}/prompts/{model}/sampled/{name}.parquet")
    if path.exists():
        return _tokens_of(path, study)
    return sampled_share(study, name, count) * benchmark_tokens(study, model, name, assumed)


def _tokens_of(path: Path, study: Study) -> float:
    # Imported here: it takes seconds, and before there are prompts it is not needed.
    from crane.evaluation.engine import questions

    count = _sent_to_vllm if study.config["engine"] == "vllm" else _computed_by_hf
    return float(count(questions(read_table(path, ["contexts", "choices"]))))


def _computed_by_hf(asked: Iterable["Question"]) -> int:
    """Count as `crane.evaluation.hf_scoring`: contexts once, choices without their last token."""
    return sum(
        sum(map(len, question.contexts)) + sum(len(choice) - 1 for choice in question.choices)
        for question in asked
    )


def _sent_to_vllm(asked: Iterable["Question"]) -> int:
    """Count as `crane.evaluation.vllm`: a prompt per longer choice, which vLLM computes without its prefix cache."""
    shared, tokens = [], 0
    for question in asked:
        if question.one_request():
            shared.append(question.contexts[0])
        else:
            tokens += sum(len(context) + len(choice) for context, choice in question.pairs())
    return tokens + computed_tokens(shared)


def computed_tokens(contexts: Sequence[Sequence[int]]) -> int:
    """Return how many tokens of contexts, sent in sorted order, are not in the prefix cache."""
    total = 0
    before: list[int] = []
    for context in sorted(map(list, contexts)):
        shared = next((i for i, (a, b) in enumerate(zip(before, context, strict=False)) if a != b), None)
        if shared is None:
            shared = min(len(before), len(context))
        total += len(context) - shared // BLOCK * BLOCK
        before = context
    return total


def open_question_counts(study: Study, assumed: Assumptions) -> dict[str, int]:
    """Return the number of open questions per language.

    Raises:
        TextError: a file cannot be read.
    """
    counts = {}
    for language in study.languages:
        path = Path(study.inputs.questions(language))
        if study.config["open_questions"]["source"] == "generated":
            counts[language] = study.config["demo"]["data"]["questions"]
        elif path.exists():
            counts[language] = _records(path, "question")
        else:
            counts[language] = assumed.open_questions
    return counts
