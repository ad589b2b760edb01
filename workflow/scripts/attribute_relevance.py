"""Measure the relevance of every neuron on some shards of one language's corpus; each finished shard is stored.

With `top_samples` among its resources, the pass also finds each neuron's samples of largest relevance and stores them.
The rule `find_top_samples` runs this script, too, and takes them from there; only what is not stored is measured again.
"""

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
from crane.relevance.attribution import attribution
from crane.relevance.collect import collect, padded
from crane.relevance.placement import placed
from crane.relevance.selftest import self_test
from crane.relevance.shards import write_shard
from crane.relevance.top_samples import write_top_samples
from joblog import job_log, provenance

_STATISTICS, _TOP = "statistics", "top samples"
PROBE_SAMPLES = 4
PROBE_TOKENS = 128
"""The self-test's batch is small because it records every place of every layer."""


def main(snakemake: Any) -> None:
    """Run a rule `attribute_relevance_*`, or `find_top_samples`."""
    torch.set_num_threads(snakemake.threads)
    params, speed = snakemake.params, snakemake.resources
    settings = {key.removeprefix("relevance."): value for key, value in params.relevance.items()}
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
        store, top = PartStore(params.store), speed.top_samples
        wanted = _TOP if hasattr(params, "samples") else _STATISTICS
        for path in snakemake.output:
            shard = int(Path(path).stem)
            rows = shard_rows(len(samples), shard, params.shards)
            of_shard = {**deciding, "rows": [rows.start, rows.stop]}
            keys = {_STATISTICS: part_key(of_shard), _TOP: part_key({**of_shard, "top_samples": top})}
            kept = store.find(keys[wanted])
            if kept is None:
                with attribution(model, passing=passing, **settings) as attribute:
                    statistics, fit, found = collect(
                        attribute, samples[rows.start : rows.stop], fit, top=top, first=rows.start
                    )
                if found is not None:
                    write = partial(write_top_samples, found, metadata=metadata)
                    kept = store.keep(keys[_TOP], ".safetensors", write)
                if wanted == _STATISTICS:
                    write = partial(write_shard, statistics, metadata=metadata)
                    kept = store.keep(keys[_STATISTICS], ".safetensors", write)
            else:
                print(f"shard {shard}: from the store", flush=True)
            with atomic_file(path) as copy:
                shutil.copyfile(kept, copy)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
