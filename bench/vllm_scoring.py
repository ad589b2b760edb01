"""Scoring of 4-choice questions by vLLM: one request per question against lm-eval's own path, in one run.

Run by `make bench-vllm` after `make demo`, on the demo's base model under each of its CRANE masks. Prints prompt tokens
sent and computed and wall time per mask, their ratios, the largest difference of a log-likelihood, and what an engine
start and a change of the mask cost. Token counts do not depend on the machine; for times read the ratios.

    python bench/vllm_scoring.py [folder of the demo's results]
"""

import logging
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "workflow" / "scripts"), str(ROOT / "tests")]
# Read by the libraries when they are imported.
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")

import numpy as np  # noqa: E402
from crane.evaluation import benchmarks  # noqa: E402
from crane.evaluation.engine import Question, questions  # noqa: E402
from crane.evaluation.prompts import render_benchmark  # noqa: E402
from crane.evaluation.vllm import VllmEngine  # noqa: E402
from crane.neurons.neuron_set import NeuronSet  # noqa: E402
from support import stock_lm  # noqa: E402

CHANGES = 50
"""Mask changes that are timed."""


class Cost(NamedTuple):
    """What one benchmark under one mask took."""

    sent: int
    computed: int
    seconds: float


def ask(
    model: Any, all_tasks: list[dict[str, Any]], prompts: list[list[Question]]
) -> tuple[Cost, np.ndarray]:
    """Score all questions once, by lm-eval (tasks) or by our engine (prompts); return cost and log-likelihoods."""
    model.prompt_tokens = model.computed_tokens = 0
    start = time.perf_counter()
    if isinstance(model, VllmEngine):
        answers = [scores for questions in prompts for scores in model.score(questions)]
    else:
        answers = [
            s for tasks in all_tasks for s in stock_lm.loglikelihoods(stock_lm.evaluated(model, tasks))
        ]
    return Cost(model.prompt_tokens, model.computed_tokens, time.perf_counter() - start), np.stack(answers)


def main(results: Path) -> None:
    """Score three languages' questions under three masks by both paths and print the table."""
    start = time.perf_counter()
    engine = VllmEngine(results / "models" / "base", dtype="float32")
    started = time.perf_counter() - start
    logging.disable(logging.WARNING)
    masks = NeuronSet.read_parquet(results / "masks" / "base" / "crane.parquet")
    stock = stock_lm.vllm(engine)
    row = "{:24} {:>5} {:>10} {:>10} {:>9} | {:>8} {:>8} {:>8} | {:>8} {:>8} | {}".format
    print("per mask, all languages; stock: lm-eval's own path, ours: one request per question")
    print(row("", "items", "stock sent", "computed", "ours sent", "computed", "stock s", "ours s",
              "computed", "time", "largest difference"))  # fmt: skip
    for fewshot in (0, 5):
        loaded = [
            benchmarks.load(
                language,
                {
                    "task": "question_with_letters",
                    "fewshot": fewshot,
                    "data": results / "generated" / language / "benchmark.jsonl",
                },
            )
            for language in masks
        ]
        tokenizer = engine.tokenizer
        prompts = [
            questions(render_benchmark("quiz", tasks, {}, tokenizer, engine.limit)) for tasks in loaded
        ]
        # Once unmeasured, so that neither path pays for what is done at the first call.
        for model in (stock, engine):
            ask(model, loaded[:1], prompts[:1])
        costs: dict[bool, list[Cost]] = {False: [], True: []}
        difference = 0.0
        for mask in masks:
            answers = {}
            for ours, measured in costs.items():
                # Each path enters the mask anew and so finds an empty prefix cache.
                with engine.masked(masks, mask):
                    cost, answers[ours] = ask(engine if ours else stock, loaded, prompts)
                measured.append(cost)
            difference = max(difference, float(np.abs(answers[True] - answers[False]).max()))
        a, b = (Cost(*map(statistics.median, zip(*path, strict=True))) for path in costs.values())
        line = [
            f"4 choices, {fewshot} examples",
            len(answers[True]),
            *(int(n) for n in (a.sent, a.computed, b.sent, b.computed)),
            f"{a.seconds:.2f}",
            f"{b.seconds:.2f}",
            f"1/{a.computed / b.computed:.1f}",
            f"1/{a.seconds / b.seconds:.1f}",
            f"{difference:.1e}",
        ]
        print(row(*line))
    changes = []
    languages = list(masks)
    for number in range(CHANGES):
        start = time.perf_counter()
        with engine.masked(masks, languages[number % len(languages)]):
            pass
        changes.append((time.perf_counter() - start) / 2)  # a change there and one back
    change = statistics.median(changes)
    print(
        f"engine start {started:.1f} s, change of the mask {change * 1000:.2f} ms: 1/{started / change:.0f}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "results" / "demo")
