"""Memory of relevance: a pass through the whole model against layer sweeps, on a random LLaMA of 16 layers.

Run by `make bench-memory`. Each way runs in a process of its own, on the same weights and samples; printed are the
process's peak above its size before the pass, the time, and whether the relevance is the same bit for bit.
"""

import hashlib
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from crane.relevance.attribution import attribution  # noqa: E402
from crane.relevance.collect import padded  # noqa: E402
from crane.relevance.sweep import layer_sweep  # noqa: E402
from transformers import AutoModelForCausalLM, LlamaConfig  # noqa: E402

SAMPLES, TOKENS = 4, 512
WAYS = {
    "whole": f"whole model, one batch of {SAMPLES} x {TOKENS} tokens",
    "whole, one by one": f"whole model, {SAMPLES} batches of {TOKENS}",
    "sweep": f"layer sweep, one batch of {SAMPLES} x {TOKENS}",
    "sweep, one by one": f"layer sweep, {SAMPLES} batches of {TOKENS} together",
}


def resident() -> float:
    """Return the process's size now, MB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


def measure(way: str) -> None:
    """Print MB above the model, seconds and a hash of the relevance of one way."""
    torch.manual_seed(0)
    torch.set_num_threads(2)
    config = LlamaConfig(
        hidden_size=512, intermediate_size=1408, num_hidden_layers=16, num_attention_heads=8, vocab_size=1000,
        max_position_embeddings=TOKENS,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config).eval()
    samples = list(torch.randint(3, 1000, (SAMPLES, TOKENS)))
    together = [samples] if not way.endswith("one by one") else [[sample] for sample in samples]
    batches = [padded(batch, "cpu") for batch in together]

    def relevance(**passing: object) -> str:
        with attribution(model, **passing) as attribute:
            found = torch.cat(attribute.relevances(batches))
        return hashlib.sha256(found.numpy().tobytes()).hexdigest()[:8]

    with attribution(model) as attribute:  # what the first call loads
        attribute(*padded([sample[:4] for sample in samples], "cpu"))
    before, start = resident(), time.perf_counter()
    if way.startswith("sweep"):
        with layer_sweep(model, device="cpu") as sweep:
            digest = relevance(passing=sweep)
    else:
        digest = relevance()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{peak - before:.0f} {seconds:.2f} {digest}")


def main() -> None:
    """Measure every way and print the table."""
    first = None
    for way, label in WAYS.items():
        done = subprocess.run([sys.executable, __file__, way], capture_output=True, text=True, check=True)
        megabytes, seconds, digest = done.stdout.split()
        first = first or (float(megabytes), float(seconds))
        print(f"{label:45} {float(megabytes):6.0f} MB  ratio {float(megabytes) / first[0]:4.2f}  "
              f"{float(seconds):5.2f} s  ratio {float(seconds) / first[1]:4.2f}  relevance {digest}")  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    else:
        main()
