"""Evaluate one model on all prompts under several mask sets, in one engine; each finished condition is stored."""

from pathlib import Path
from typing import Any

import torch
from crane.artefacts import read_table, write_json, write_text
from crane.evaluation.conditions import MaskSet, Prompts, evaluate
from crane.evaluation.loading import engine_facts
from crane.evaluation.opening import opener
from crane.models.manifests import weights_identity
from crane.neurons.neuron_set import NeuronSet
from crane.neurons.steering import engine_arguments
from crane.parts import PartStore
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run a rule `evaluate_masks_*`."""
    torch.set_num_threads(snakemake.threads)
    params, speed = snakemake.params, snakemake.resources
    files = {Path(path).stem: path for path in snakemake.input.masks}
    mask_sets = []
    for name, settings in params.mask_sets.items():
        neurons = NeuronSet.read_parquet(files[settings["neurons"]]) if settings["neurons"] else None
        how = engine_arguments(
            settings["intervention"], neurons, snakemake.input.means, snakemake.input.donors
        )
        asked = [each for names in settings["parts"].values() for each in names]
        mask_sets.append(MaskSet(name, neurons, how, asked))
    prompts = {
        name: Prompts(name, settings["kind"], read_table(path), settings["settings"])
        for (name, settings), path in zip(params.prompts.items(), snakemake.input.prompts, strict=True)
    }
    facts = {
        "model": weights_identity(snakemake.input.model),
        "code": params.code,
        **engine_facts(params.engine, params.dtype),
    }

    opened = opener(
        params.engine,
        snakemake.input.model,
        prompts.values(),
        cache=Path(params.store).with_name("vllm_cache") / snakemake.rule,
        dtype=params.dtype,
        batch_tokens=speed.batch_tokens,
        batch_size=speed.batch_size,
        gpus=speed.gpu,
    )
    receipts = iter(snakemake.output.receipts)
    for name, receipt in evaluate(mask_sets, prompts, PartStore(params.store), facts, opened):
        for asked in params.mask_sets[name]["parts"].values():
            of_part = {language: {one: keys[one] for one in asked} for language, keys in receipt.items()}
            write_json(of_part, next(receipts))
    write_text("\n".join(params.mask_sets) + "\n", snakemake.output.together)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
