"""Measure the relevance of every neuron on some shards of one language's corpus; each finished shard is stored."""

import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

# PyTorch reads it when it is imported. In a layer sweep tensors of all sizes come and go, and fixed segments of memory
# would leave gaps that fit none of them: in 16 GB of an H200 a sweep of 32,768 tokens of LLaMA-2-7B needs this.
os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")

import torch
from crane.artefacts import atomic_file, read_table, sha256
from crane.corpora.chunks import shard_rows
from crane.models.manifests import identity, weights_identity
from crane.parts import PartStore, part_key
from crane.relevance.accumulated_files import ENDING, write_accumulated
from crane.relevance.attribution import attribution
from crane.relevance.collect import collect, padded
from crane.relevance.placement import placed
from crane.relevance.selftest import self_test
from crane.relevance.shards import write_shard
from joblog import job_log, provenance

PROBE_SAMPLES = 4
PROBE_TOKENS = 128
"""The self-test's batch is small because it records every place of every layer."""


def main(snakemake: Any) -> None:
    """Run a rule `attribute_relevance_*`."""
    torch.set_num_threads(snakemake.threads)
    params, speed = snakemake.params, snakemake.resources
    settings = {key.removeprefix("relevance."): value for key, value in params.relevance.items()}
    accumulators = settings.pop("accumulators", [])
    corpus = read_table(snakemake.input.corpus, ["input_ids"])["input_ids"]
    samples = [torch.tensor(ids, dtype=torch.int64) for ids in corpus]
    with placed(
        snakemake.input.model,
        settings.pop("dtype"),
        longest=max(map(len, samples)),
        batch_tokens=speed.batch_tokens,
        sweep_tokens=speed.sweep_tokens,
        rows=speed.batch_size or None,
        memory=speed.memory_gb * 1e9 or None,
    ) as (model, fit, passing):
        probe = padded([sample[:PROBE_TOKENS] for sample in samples[:PROBE_SAMPLES]], model.device)
        measured = self_test(model, *probe, passing=passing, **settings)
        for name, value in measured.items():
            print(f"self-test: {name}: {value}")
        facts = {"dtype": str(model.dtype), "device": str(model.device)}
        metadata = provenance(snakemake, self_test=measured, model=identity(snakemake.input.model), **facts)
        deciding = {
            **facts, **settings, "corpus": sha256(snakemake.input.corpus), "code": params.code,
            "model": weights_identity(snakemake.input.model),
        }  # fmt: skip
        store = PartStore(params.store)
        for path in [path for path in snakemake.output if not path.endswith(ENDING)]:
            shard = int(Path(path).stem)
            rows = shard_rows(len(samples), shard, params.shards)
            deciding["rows"] = [rows.start, rows.stop]
            targets = {part_key(deciding): path}
            if accumulators:
                # A key of its own: the shard stays the same whatever is accumulated beside it.
                beside = part_key({**deciding, "accumulators": accumulators})
                targets[beside] = path.removesuffix(".safetensors") + ENDING
            kept = {key: found for key in targets if (found := store.find(key))}
            if len(kept) < len(targets):
                options = {**settings, "passing": passing, "accumulators": accumulators}
                with attribution(model, **options) as attribute:
                    statistics, fit, accumulated = collect(attribute, samples[rows.start : rows.stop], fit)
                writers = [partial(write_shard, statistics, metadata=metadata)]
                if accumulated is not None:
                    writers.append(partial(write_accumulated, accumulated, metadata=metadata))
                for key, write in zip(targets, writers, strict=True):
                    if key not in kept:
                        kept[key] = store.keep(key, ".safetensors", write)
            else:
                print(f"shard {shard}: from the store", flush=True)
            for key, target in targets.items():
                with atomic_file(target) as copy:
                    shutil.copyfile(kept[key], copy)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
