"""Relevance against a forward pass alone, on the demo's base model with the same batches, in one run.

Run by `make bench` after `make demo`. Prints the time of each, its ratio to a forward pass with all logits, and the
process's peak memory when it had first run.
"""

import resource
import statistics
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from crane.artefacts import read_table  # noqa: E402
from crane.models.loading import load_model  # noqa: E402
from crane.relevance.attribution import attribution  # noqa: E402
from crane.relevance.collect import batches  # noqa: E402
from crane.relevance.moments import Moments  # noqa: E402

BATCH, ROUNDS = 32, 7
RESULTS = ROOT / "results" / "demo"


def peak_memory() -> float:
    """Return the largest resident size of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Time both in turn and print the medians."""
    torch.set_num_threads(2)
    model = load_model(RESULTS / "models" / "base")
    ids = read_table(RESULTS / "corpora" / "base" / "en.parquet", ["input_ids"])["input_ids"]
    work = list(batches([torch.tensor(i, dtype=torch.int64) for i in ids], BATCH, "cpu"))

    def forward() -> None:
        with torch.inference_mode():
            for batch in work:
                model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False)

    def headless() -> None:
        with torch.inference_mode():
            for batch in work:
                model.base_model(
                    input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False
                )

    def relevance() -> None:
        with attribution(model) as attribute:
            for batch in work:
                attribute(batch.input_ids, batch.attention_mask)

    def collected() -> None:
        with attribution(model) as attribute:
            for batch in work:
                Moments.from_batch(attribute(batch.input_ids, batch.attention_mask))

    seconds: dict[str, list[float]] = {f.__name__: [] for f in (forward, headless, relevance, collected)}
    memory = {}
    for _ in range(ROUNDS + 1):
        for function in (forward, headless, relevance, collected):
            start = time.perf_counter()
            function()
            seconds[function.__name__].append(time.perf_counter() - start)
            memory.setdefault(function.__name__, peak_memory())
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    tokens = sum(int(batch.attention_mask.sum()) for batch in work)
    print(f"{len(ids)} samples, {tokens} tokens, batch {BATCH}, median of {ROUNDS} rounds, torch {torch.__version__}, "
          f"{torch.get_num_threads()} threads")  # fmt: skip
    labels = {
        "forward": "forward with all logits",
        "headless": "forward without the output layer",
        "relevance": "relevance (forward and backward)",
        "collected": "relevance and moments",
    }
    for name, label in labels.items():
        ratios = [a / b for a, b in zip(seconds[name][1:], seconds["forward"][1:], strict=True)]
        print(f"{label:34} {medians[name]:7.3f} s  {tokens / medians[name] / 1000:7.1f} ktoken/s  "
              f"ratio to forward {statistics.median(ratios):5.2f}  peak memory {memory[name]:5.0f} MB")  # fmt: skip


if __name__ == "__main__":
    main()
