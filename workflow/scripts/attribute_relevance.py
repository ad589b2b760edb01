"""Measure the relevance of every neuron on some shards of one language's corpus; each finished shard is stored.

With `top_samples` among its resources, the pass also finds each neuron's samples of largest relevance and stores them.
The rule `find_top_samples` runs this script, too, and takes them from there; only what is not stored is measured again.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

# PyTorch reads it when it is imported. In a layer sweep tensors of all sizes come and go, and fixed segments of memory
# would leave gaps that fit none of them: in 16 GB of an H200 a sweep of 32,768 tokens of LLaMA-2-7B needs this.
os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")

import torch
from crane.artefacts import atomic_file, read_table, sha256
from crane.corpora.shards import shard_rows
from crane.models.families import groups_of
from crane.models.manifests import identity, weights_identity
from crane.parts import PartStore, part_key
from crane.relevance.accumulated_files import ENDING, write_accumulated
from crane.relevance.attribution import attribution
from crane.relevance.collect import Collected, collect, padded
from crane.relevance.expert_rules import ROUTERS
from crane.relevance.placement import placed
from crane.relevance.selftest import self_test
from crane.relevance.shards import write_shard
from crane.relevance.top_samples import write_top_samples
from joblog import job_log, provenance

SHARD, ACCUMULATED, TOP = "shard", "accumulators", "top samples"
"""The kinds of files."""
PROBE_SAMPLES = 4
PROBE_TOKENS = 128
"""The self-test's batch is small because it records every place of every layer."""


def main(snakemake: Any) -> None:
    """Run a rule `attribute_relevance_*`, or `find_top_samples`."""
    torch.set_num_threads(snakemake.threads)
    params, speed = snakemake.params, snakemake.resources
    settings = {key.removeprefix("relevance."): value for key, value in params.relevance.items()}
    finding = hasattr(params, "samples")
    accumulators = [] if finding else settings.get("accumulators", [])
    settings.pop("accumulators", None)
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
        if groups_of(model.config) is not None and settings["rules"] == "attnlrp":
            settings.setdefault("router", ROUTERS[0])
        probe = padded([sample[:PROBE_TOKENS] for sample in samples[:PROBE_SAMPLES]], model.device)
        measured = self_test(model, *probe, passing=passing, **settings)
        for name, value in measured.items():
            print(f"self-test: {name}: {value}")
        facts = {"dtype": str(model.dtype), "device": str(model.device)}
        if "router" in settings:
            facts["router"] = settings["router"]
        metadata = provenance(snakemake, self_test=measured, model=identity(snakemake.input.model), **facts)
        deciding = {
            **facts, **settings, "corpus": sha256(snakemake.input.corpus), "code": params.code,
            "model": weights_identity(snakemake.input.model),
        }  # fmt: skip
        store, top = PartStore(params.store), speed.top_samples
        for shard, targets in _by_shard(snakemake.output, finding).items():
            rows = shard_rows(len(samples), shard, params.shards)
            of_shard = {**deciding, "rows": [rows.start, rows.stop]}
            # A key for each: the shard stays the same whatever is kept beside it.
            keys = {
                SHARD: part_key(of_shard),
                ACCUMULATED: part_key({**of_shard, "accumulators": accumulators}),
                TOP: part_key({**of_shard, "top_samples": top}),
            }
            kept = {kind: part for kind in targets if (part := store.find(keys[kind])) is not None}
            if kept.keys() < targets.keys():
                options = {**settings, "passing": passing, "accumulators": accumulators}
                with attribution(model, **options) as attribute:
                    found = collect(
                        attribute, samples[rows.start : rows.stop], fit, top=top, first=rows.start
                    )
                fit = found.fit
                for kind, write in _writers(found, metadata).items():
                    if kind not in kept and (kind in targets or kind == TOP):
                        kept[kind] = store.keep(keys[kind], ".safetensors", write)
            else:
                print(f"shard {shard}: from the store", flush=True)
            for kind, target in targets.items():
                with atomic_file(target) as copy:
                    shutil.copyfile(kept[kind], copy)


def _by_shard(paths: Iterable[str], finding: bool) -> dict[int, dict[str, str]]:
    """Return shard -> kind of file -> path of the outputs."""
    targets: dict[int, dict[str, str]] = {}
    for path in paths:
        kind = TOP if finding else ACCUMULATED if path.endswith(ENDING) else SHARD
        targets.setdefault(int(Path(path).name.partition(".")[0]), {})[kind] = path
    return targets


def _writers(found: Collected, metadata: Mapping[str, Any]) -> dict[str, Callable[[Path], None]]:
    """Return kind of file -> function that writes it, of what was found."""
    writers: dict[str, Callable[[Path], None]] = {
        SHARD: partial(write_shard, found.statistics, metadata=metadata)
    }
    if found.accumulated is not None:
        writers[ACCUMULATED] = partial(write_accumulated, found.accumulated, metadata=metadata)
    if found.top is not None:
        writers[TOP] = partial(write_top_samples, found.top, metadata=metadata)
    return writers


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
