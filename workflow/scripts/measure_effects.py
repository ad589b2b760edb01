"""Measure what zeroing random neurons and random groups of them does to every language's loss."""

from pathlib import Path
from typing import Any

import torch
from crane.artefacts import read_table, write_table
from crane.evaluation.ablation_effects import effect_table, measure
from crane.evaluation.ablation_losses import AblationLosses
from crane.evaluation.batching import TokenBudget
from crane.evaluation.loading import engine_facts
from crane.models.configuration import read_config
from crane.models.families import neurons_per_layer
from crane.models.loading import load_model
from crane.models.manifests import identity, weights_identity
from crane.neurons.ablations import draw_ablations
from crane.parts import PartStore
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `measure_effects`."""
    torch.set_num_threads(snakemake.threads)
    params, asked = snakemake.params, dict(snakemake.params.measured)
    documents, longest = asked.pop("documents"), asked.pop("max_tokens")
    texts = {
        Path(path).stem: [ids[:longest].tolist() for ids in read_table(path)["input_ids"][:documents]]
        for path in snakemake.input.texts
    }
    config = read_config(snakemake.input.model)
    text = config.get_text_config()
    width = neurons_per_layer(config) if params.site == "intermediate" else text.hidden_size
    ablations = draw_ablations(text.num_hidden_layers, width, **asked)
    facts = {
        **engine_facts("hf", "float32"),
        "model": weights_identity(snakemake.input.model),
        "site": params.site,
        "code": params.code,
    }

    def opened() -> AblationLosses:
        model = load_model(snakemake.input.model, "float32")
        return AblationLosses(model, params.site, TokenBudget(snakemake.resources.batch_tokens))

    lost = measure(ablations, texts, PartStore(params.store), facts, opened)
    about = provenance(snakemake, model=identity(snakemake.input.model))
    write_table(effect_table(ablations, texts, lost), snakemake.output.effects, about)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
