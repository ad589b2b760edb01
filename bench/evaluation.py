"""What a further mask costs outside the model: lm-eval's evaluation against rendered prompts, on MMLU's 57 tasks.

Run by `make bench-evaluation`. The questions are synthetic, as many and as long as MMLU's (14,022, five examples each);
the model is a function of the tokens, so that all CPU seconds are those of the evaluation. Prints seconds, their ratio,
and whether both gave the same results.

    python bench/evaluation.py [questions per task]
"""

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "workflow" / "scripts"), str(ROOT / "tests")]

import numpy as np  # noqa: E402
from crane.demo.tokenizer import train_tokenizer  # noqa: E402
from crane.evaluation import benchmarks  # noqa: E402
from crane.evaluation.collect import choices  # noqa: E402
from crane.evaluation.conditions import Prompts, ask  # noqa: E402
from crane.evaluation.engine import Question  # noqa: E402
from crane.evaluation.prompts import render_benchmark  # noqa: E402
from support import hub_datasets  # noqa: E402

TASK = {"task": "mmlu", "fewshot": 5}
WORDS = 38
"""Of a question; its context then has about 800 tokens with five examples."""


def score(context: list[int], choice: list[int]) -> float:
    """Return a log-likelihood that depends on the tokens alone."""
    return -float((context[-1] * 31 + sum(context[-40:]) + sum(choice) * 17) % 9973) / 1000


class Model:
    """An engine without a model."""

    def score(self, questions: list[Question]) -> list[np.ndarray]:
        return [np.array([score(*pair) for pair in question.pairs()], np.float32) for question in questions]


def lm_eval_model(tokenizer: Any) -> Any:
    """Return the same as lm-eval's `LM`."""
    from lm_eval.api.model import TemplateLM

    class Stock(TemplateLM):
        backend = "causal"
        eot_token_id = prefix_token_id = tokenizer.bos_token_id

        def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
            return tokenizer(string, add_special_tokens=True).input_ids

        def _loglikelihood_tokens(self, requests: list[Any], **_: Any) -> list[tuple[float, bool]]:
            return [(score(context, choice), False) for _, context, choice in requests]

        def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
            raise NotImplementedError

        def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
            raise NotImplementedError

    return Stock()


def write_questions(folder: Path, count: int) -> list[str]:
    """Write the data set and return texts to train a tokenizer on."""
    rng = random.Random(0)
    words = ["".join(rng.choice("aeioubdklmnprst") for _ in range(rng.randint(2, 9))) for _ in range(3000)]

    def texts(part: str, split: str, rows: int) -> list[str]:
        return [f"{part} {split} {i}: " + " ".join(rng.choices(words, k=WORDS)) + "?" for i in range(rows)]

    hub_datasets._questions = texts
    hub_datasets.write_mmlu(folder, count)
    return [" ".join(rng.choices(words, k=40)) for _ in range(2000)]


def seconds(work: Any) -> tuple[float, Any]:
    """Return the CPU seconds of a piece of work, and its result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def main(count: int) -> None:
    """Evaluate one mask both ways and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = train_tokenizer(write_questions(Path(folder), count), 2400)
        settings = {**TASK, "dataset": folder}
        loading, tasks = seconds(lambda: benchmarks.load("mmlu", settings))
        rendering, prompts = seconds(lambda: render_benchmark("mmlu", tasks, settings, tokenizer, None))
        asked = Prompts("mmlu", "choices", prompts, {})
        opening, _ = seconds(asked.digest)
        ours, found = seconds(lambda: choices(prompts, ask(Model(), asked)))

        def evaluate() -> Any:
            from lm_eval.evaluator import evaluate as stock

            return stock(lm_eval_model(tokenizer), tasks, bootstrap_iters=0, log_samples=True)

        theirs, results = seconds(evaluate)
    samples = [sample for name in tasks["tasks"] for sample in results["samples"][name]]
    same = [s["doc_hash"] for s in samples] == found["doc_hash"].tolist()
    same &= [int(s["acc"]) for s in samples] == found["correct"].tolist()
    likelihoods = np.array([[float(r[0]) for r in s["filtered_resps"]] for s in samples])
    apart = np.abs(likelihoods - np.stack(found["loglikelihoods"])).max()
    print(
        f"MMLU, {len(samples):,} synthetic questions of {prompts['tokens'].mean():.0f} tokens on average, 5-shot"
    )
    print(f"loading 57 task definitions {loading:8.1f} CPU s   once per model")
    print(f"rendering all prompts       {rendering:8.1f} CPU s   once per model")
    print(f"opening rendered prompts    {opening:8.1f} CPU s   once per job")
    print(f"lm-eval, each mask          {theirs:8.1f} CPU s")
    print(f"rendered, each mask         {ours:8.1f} CPU s   ratio {theirs / ours:.0f}")
    print(f"same questions and accuracies: {same}; largest difference of a log-likelihood: {apart:.1e}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 246)
