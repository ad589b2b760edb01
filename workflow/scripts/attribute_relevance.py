"""Measure the relevance of every neuron on one shard of one language's corpus."""

from typing import Any

import torch
from crane.artefacts import read_table
from crane.corpora.chunks import shard_rows
from crane.models.folders import identity
from crane.models.loading import load_model
from crane.relevance.attribution import attribution
from crane.relevance.collect import batches, collect
from crane.relevance.selftest import self_test
from crane.relevance.shards import write_shard
from joblog import job_log, provenance

PROBE_SAMPLES = 4
PROBE_TOKENS = 128
"""The self-test's batch: small, because every place of every layer is looked at."""


def main(snakemake: Any) -> None:
    """Run the rule `attribute_relevance`."""
    torch.set_num_threads(snakemake.threads)
    settings = {key.removeprefix("relevance."): value for key, value in snakemake.params.relevance.items()}
    model = load_model(snakemake.input.model, settings.pop("dtype"))
    corpus = read_table(snakemake.input.corpus, ["input_ids"])["input_ids"]
    rows = shard_rows(len(corpus), int(snakemake.wildcards.shard), snakemake.params.shards)
    samples = [torch.tensor(ids, dtype=torch.int64) for ids in corpus.iloc[rows]]

    probes = [sample[:PROBE_TOKENS] for sample in samples[:PROBE_SAMPLES]]
    probe = next(batches(probes, PROBE_SAMPLES, model.device))
    measured = self_test(model, probe.input_ids, probe.attention_mask, **settings)
    for name, value in measured.items():
        print(f"self-test: {name}: {value}")
    with attribution(model, **settings) as attribute:
        statistics = collect(attribute, samples, snakemake.resources.batch_size)
    write_shard(
        statistics,
        snakemake.output.shard,
        provenance(
            snakemake,
            self_test=measured,
            model=identity(snakemake.input.model),
            dtype=str(model.dtype),
            device=str(model.device),
        ),
    )


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
