"""What one mask costs on a part of the evaluation: a suite, the open questions, held-out texts, or a sample of them."""

from crane.names import OPEN_SUITE, PERPLEXITY
from crane.preflight.assumptions import Assumptions, decoding_bytes, hidden_width
from crane.preflight.token_counts import (
    benchmark_tokens,
    held_out_tokens,
    open_question_counts,
    question_count,
    sampled_share,
    sampled_tokens,
)
from crane.study.study import SAMPLED, Study

ANSWER_BYTES = 50
"""Size of one answered question in a benchmark file, compressed; 48 in the demo."""
TEXT_BYTES = 5_000
"""Size of one open answer, or of one document of a corpus."""


def part_cost(study: Study, model: str, part: str, assumed: Assumptions, size: float) -> tuple[float, float]:
    """Return the GPU seconds and the bytes of one mask on a suite, the open questions or the held-out texts.

    Of a part of the questions (`evaluation.sample`) it is the part's.
    """
    if part.startswith(SAMPLED):
        return _sampled_part(study, model, part.removeprefix(SAMPLED), assumed, size)
    if part == OPEN_SUITE:
        counts = open_question_counts(study, assumed)
        answers, longest = sum(counts.values()), study.config["open_questions"]["max_new_tokens"]
        shape = study.config["models"][model]
        hidden = hidden_width(size, shape["layers"], shape["intermediate_size"])
        prompt = assumed.tokens_per_question / 4
        read = decoding_bytes(answers, prompt, longest, size, 4 * shape["layers"] * hidden, assumed)
        batches = _batches(study, answers, prompt + longest)
        weights = (batches - 1) * longest * 2 * size
        return assumed.read(read + weights), answers * TEXT_BYTES
    if part == PERPLEXITY:
        if model not in study.perplexity_models:
            return 0.0, 0.0
        tokens = sum(held_out_tokens(study, model, language, assumed) for language in study.languages)
        documents = study.config["perplexity"]["documents"] * len(study.languages)
        return assumed.compute(2 * size * tokens), documents * ANSWER_BYTES
    names = study.config["suites"][part]
    tokens = sum(benchmark_tokens(study, model, name, assumed) for name in names)
    return assumed.compute(2 * size * tokens), sum(question_count(study, n) for n in names) * ANSWER_BYTES


def _sampled_part(
    study: Study, model: str, suite: str, assumed: Assumptions, size: float
) -> tuple[float, float]:
    """Return the GPU seconds and the bytes of one mask on a part of a suite's questions, or of the held-out texts."""
    count = study.sample_size(suite)["count"]
    if suite == PERPLEXITY:
        seconds, disk = part_cost(study, model, suite, assumed, size)
        share = count / study.config["perplexity"]["documents"]
        return seconds * share, disk * share
    names = study.config["suites"][suite]
    tokens = sum(sampled_tokens(study, model, name, count, assumed) for name in names)
    asked = sum(sampled_share(study, name, count) * question_count(study, name) for name in names)
    return assumed.compute(2 * size * tokens), asked * ANSWER_BYTES


def _batches(study: Study, answers: int, longest: float) -> int:
    """Return the number of consecutive batches that the answers of one mask take."""
    settings = study.config["evaluation"]
    if study.config["engine"] == "vllm":
        rows = settings.get("batch_size", 256)
    else:
        rows = max(1, int(settings.get("batch_tokens", 8192) // longest))
    return -(-answers // rows)


def shared_seconds(study: Study, model: str, parts: list[str], assumed: Assumptions, size: float) -> float:
    """Return the seconds of benchmarks that several suites share, which are evaluated once."""
    known: set[str] = set()
    tokens = 0.0
    for part in parts:
        for name in study.config.get("suites", {}).get(part, ()):
            key = repr(sorted(study.inputs.benchmark(name).items()))
            if key in known:
                tokens += benchmark_tokens(study, model, name, assumed)
            known.add(key)
    return assumed.compute(2 * size * tokens)
