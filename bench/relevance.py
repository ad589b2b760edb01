"""Relevance against a forward pass alone, with the same batches, in one run.

On the demo's base model, in batches of several sizes, and on a random LLaMA of the size of SmolLM2-135M in the batches
of config/smollm2.yaml. Run by `make bench` after `make demo`.
Prints the time of each, its ratio to forward passes with all logits and with none, and the process's peak memory when
it had first run; beside them PyTorch's gradient at the embeddings with neither rules nor hooks, and relevance with what
other methods accumulate.
"""

import resource
import statistics
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from crane.artefacts import read_table  # noqa: E402
from crane.models.loading import load_model  # noqa: E402
from crane.relevance.accumulated_columns import HISTOGRAMS  # noqa: E402
from crane.relevance.accumulators import SUMS  # noqa: E402
from crane.relevance.attribution import attribution  # noqa: E402
from crane.relevance.bin_edges import measure_edges  # noqa: E402
from crane.relevance.collect import batches, padded  # noqa: E402
from crane.relevance.moments import Moments  # noqa: E402
from transformers import AutoModelForCausalLM, LlamaConfig  # noqa: E402

ROUNDS = 7
RESULTS = ROOT / "results" / "demo"


def peak_memory() -> float:
    """Return the largest resident size of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compare(label: str, model: Any, samples: list[torch.Tensor], batch_tokens: int) -> None:
    """Time forward passes and relevance of the same batches in turn and print the medians."""
    work = [padded(batch, "cpu") for batch in batches(samples, batch_tokens)]

    def forward() -> None:
        with torch.inference_mode():
            for batch in work:
                model(input_ids=batch.input_ids, use_cache=False)

    def headless() -> None:
        with torch.inference_mode():
            for batch in work:
                model.base_model(input_ids=batch.input_ids, use_cache=False)

    def gradient() -> None:
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        for batch in work:
            embedded = model.get_input_embeddings()(batch.input_ids).requires_grad_()
            model.base_model(inputs_embeds=embedded, use_cache=False).last_hidden_state.sum().backward()

    def relevance() -> None:
        with attribution(model) as attribute:
            for batch in work:
                attribute(*batch)

    edges = measure_edges(model, [sample.tolist() for sample in samples[:16]], skip_first=False)

    def collected(*accumulators: str) -> None:
        with attribution(model, accumulators=accumulators, edges=edges) as attribute:
            for batch in work:
                Moments.from_batch(attribute(*batch))

    ways = {
        "forward with all logits": forward,
        "forward without the output layer": headless,
        "plain gradient, headless, no rules": gradient,
        "relevance (forward and backward)": relevance,
        "relevance and moments": collected,
        "the same with all accumulated sums": partial(collected, *SUMS),
        "the same with sums and histograms": partial(collected, *SUMS, *HISTOGRAMS),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    memory = {}
    for _ in range(ROUNDS + 1):
        for way, function in ways.items():
            start = time.perf_counter()
            function()
            seconds[way].append(time.perf_counter() - start)
            memory.setdefault(way, peak_memory())
    tokens = sum(map(len, samples))
    print(f"{label}: {len(samples)} samples, {tokens} tokens, batches of {batch_tokens}, median of {ROUNDS} rounds, "
          f"torch {torch.__version__}, {torch.get_num_threads()} threads")  # fmt: skip
    for way in ways:
        median = statistics.median(seconds[way][1:])
        ratios = [
            [a / b for a, b in zip(seconds[way][1:], seconds[base][1:], strict=True)]
            for base in list(ways)[:2]
        ]
        print(f"{way:34} {median:7.3f} s  {tokens / median / 1000:7.2f} ktoken/s  ratio to forward "
              f"{statistics.median(ratios[0]):5.2f}  to headless {statistics.median(ratios[1]):5.2f}  "
              f"peak memory {memory[way]:5.0f} MB")  # fmt: skip


def main() -> None:
    """Compare on both models."""
    torch.set_num_threads(2)
    ids = read_table(RESULTS / "corpora" / "base" / "en.parquet", ["input_ids"])["input_ids"]
    samples = [torch.tensor(i, dtype=torch.int64) for i in ids]
    base = load_model(RESULTS / "models" / "base")
    for batch_tokens in (768, 3072, 6144):
        compare("demo base model", base, samples, batch_tokens)
    config = LlamaConfig(
        hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
        vocab_size=49152, max_position_embeddings=2048, tie_word_embeddings=True,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config).eval()
    compare("LLaMA of 30 layers, 135 M parameters", model, list(torch.randint(3, 49152, (16, 128))), 2048)


if __name__ == "__main__":
    main()
