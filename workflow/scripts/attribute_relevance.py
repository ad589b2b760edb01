"""Measure the relevance of every neuron on some shards of one language's corpus; each finished shard is stored.

With `top_samples` among its resources, the pass also finds each neuron's samples of largest relevance and stores them.
The rule `find_top_samples` runs this script, too, and takes them from there; only what is not stored is measured again.
"""

import math
import os
import shutil
from functools import cache
from typing import Any

# PyTorch reads it when it is imported. In a layer sweep tensors of all sizes come and go, and fixed segments of memory
# would leave gaps that fit none of them: in 16 GB of an H200 a sweep of 32,768 tokens of LLaMA-2-7B needs this.
os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")

import torch
from crane.artefacts import atomic_file, read_table, sha256
from crane.corpora.shards import shard_rows
from crane.models.families import groups_of
from crane.models.manifests import identity, weights_identity
from crane.parts import PartStore
from crane.relevance.accumulated_columns import BYTES, HISTOGRAMS
from crane.relevance.attribution import attribution
from crane.relevance.bin_edges import read_edges
from crane.relevance.collect import collect, padded
from crane.relevance.expert_rules import ROUTERS
from crane.relevance.found_files import by_shard, keys, writers
from crane.relevance.histograms import token_limits
from crane.relevance.placement import placed
from crane.relevance.selftest import self_test
from joblog import job_log, provenance

PROBE_SAMPLES = 4
PROBE_TOKENS = 128
"""The self-test's batch is small because it records every place of every layer."""


def main(snakemake: Any) -> None:
    """Run a rule `attribute_relevance_*`, or `find_top_samples`."""
    torch.set_num_threads(snakemake.threads)
    params, speed = snakemake.params, snakemake.resources
    settings = {key.removeprefix("relevance."): value for key, value in params.relevance.items()}
    finding = snakemake.rule == "find_top_samples"
    accumulators = [] if finding else settings.get("accumulators", [])
    cap = settings.pop("token_cap", None)
    settings.pop("accumulators", None)
    binned = set(accumulators) & set(HISTOGRAMS)
    edges = read_edges(snakemake.input.edges) if binned else None
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
        accumulated=sum(BYTES[name] for name in accumulators),
    ) as (model, fit, passing):
        if groups_of(model.config) is not None and settings["rules"] == "attnlrp":
            settings.setdefault("router", ROUTERS[0])
        facts = {"dtype": str(model.dtype), "device": str(model.device)}
        if "router" in settings:
            facts["router"] = settings["router"]

        @cache
        def tested() -> dict[str, Any]:
            """Test the model, once and before anything is measured, and return what the files say of it."""
            probe = padded([sample[:PROBE_TOKENS] for sample in samples[:PROBE_SAMPLES]], model.device)
            measured = self_test(model, *probe, passing=passing, **settings)
            for name, value in measured.items():
                print(f"self-test: {name}: {value}")
            return provenance(snakemake, self_test=measured, model=identity(snakemake.input.model), **facts)

        deciding = {
            **facts, **settings, "corpus": sha256(snakemake.input.corpus), "code": params.code,
            "model": weights_identity(snakemake.input.model),
        }  # fmt: skip
        store, top = PartStore(params.store), speed.top_samples
        for shard, targets in by_shard(snakemake.output, finding=finding).items():
            rows = shard_rows(len(samples), shard, params.shards)
            binning = {"edges": edges.digest, "token_cap": cap} if edges else None
            key_of = keys({**deciding, "rows": [rows.start, rows.stop]}, accumulators, top, binning)
            kept = {kind: part for kind in targets if (part := store.find(key_of[kind])) is not None}
            if kept.keys() < targets.keys():
                metadata = tested()
                options = {**settings, "passing": passing, "accumulators": accumulators, "edges": edges}
                own = samples[rows.start : rows.stop]
                # Every shard has its part of the cap, so that halves of the shards have histograms, too.
                limits = (
                    token_limits(list(map(len, own)), math.ceil(cap / params.shards))
                    if edges and cap
                    else None
                )
                with attribution(model, **options) as attribute:
                    found = collect(attribute, own, fit, top=top, first=rows.start, limits=limits)
                fit = found.fit
                for kind, write in writers(found, metadata).items():
                    if kind not in kept and (kind in targets or kind == "top samples"):
                        kept[kind] = store.keep(key_of[kind], ".safetensors", write)
            else:
                print(f"shard {shard}: from the store", flush=True)
            for kind, target in targets.items():
                with atomic_file(target) as copy:
                    shutil.copyfile(kept[kind], copy)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
