"""Steer one model between languages under the mask sets of one group; each finished condition is stored."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from crane.artefacts import read_table, write_table
from crane.evaluation import steered
from crane.evaluation.conditions import evaluate
from crane.evaluation.loading import engine_facts
from crane.evaluation.opening import opener
from crane.models.manifests import identity, weights_identity
from crane.models.tokenizers import load_tokenizer
from crane.neurons.neuron_set import NeuronSet
from crane.neurons.steering import measured_values
from crane.parts import PartStore
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run a rule `steer_masks_*`."""
    torch.set_num_threads(snakemake.threads)
    params, speed = snakemake.params, snakemake.resources
    pairs = [(asked, target) for asked, target in params.pairs]
    asked = steered.prompts(
        read_table(snakemake.input.open),
        {Path(path).stem: read_table(path) for path in snakemake.input.texts},
        load_tokenizer(snakemake.input.model),
        pairs,
        answering={key.removeprefix("open_questions."): value for key, value in params.answering.items()},
        known=params.known,
        documents=params.documents,
    )
    measured = measured_values(snakemake.input.means, params.how)
    sets = [
        steered.steered(Path(path).stem, NeuronSet.read_parquet(path), params.how, pairs, measured, asked)
        for path in snakemake.input.masks
    ]
    facts = {
        "model": weights_identity(snakemake.input.model),
        "code": params.evaluated,
        **engine_facts(params.engine, params.dtype),
    }

    opened = opener(
        params.engine,
        snakemake.input.model,
        asked.values(),
        cache=Path(params.store).with_name("vllm_cache") / snakemake.rule,
        dtype=params.dtype,
        batch_tokens=speed.batch_tokens,
        batch_size=speed.batch_size,
        gpus=speed.gpu,
    )
    store = PartStore(params.store)
    found = [
        steered.results(name, receipt, asked, store)
        for name, receipt in evaluate(
            sets or [steered.unmasked(params.group, asked)], asked, store, facts, opened
        )
    ]
    about = provenance(snakemake, model=identity(snakemake.input.model))
    for kind in steered.COLUMNS:
        frame = pd.concat([one[kind] for one in found], ignore_index=True)
        write_table(frame, snakemake.output[kind], about)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
