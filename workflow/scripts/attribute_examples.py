"""Measure relevance and value, token by token, of the neurons that the explorer shows on their top samples."""

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from crane.artefacts import read_table, write_table
from crane.explorer.shown import distinct, shown_neurons
from crane.models.manifests import identity
from crane.models.tokenizers import load_tokenizer
from crane.neurons.neuron_set import NeuronSet
from crane.relevance.attribution import attribution
from crane.relevance.examples import by_layer, example_rows, token_relevance
from crane.relevance.placement import placed
from crane.texts.token_texts import token_texts
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `attribute_examples`."""
    torch.set_num_threads(snakemake.threads)
    params, speed = snakemake.params, snakemake.resources
    settings = {key.removeprefix("relevance."): value for key, value in params.relevance.items()}
    for of_other_methods in ("accumulators", "token_cap"):
        settings.pop(of_other_methods, None)
    masks = {Path(path).stem: NeuronSet.read_parquet(path) for path in snakemake.input.masks}
    neurons = by_layer(distinct(shown_neurons(masks, params.neurons)))
    top = pd.concat(
        table[table["neuron"].isin(neurons[layer].tolist())]
        for layer, table in enumerate(map(read_table, snakemake.input.top))
        if layer in neurons
    )
    samples, texts = {}, []
    tokenizer = load_tokenizer(snakemake.input.model)
    decode = partial(tokenizer.decode, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    for path in snakemake.input.corpora:
        language = Path(path).stem
        wanted = set(top.loc[top["language"] == language, "sample_id"])
        corpus = read_table(path, ["sample_id", "input_ids"])
        for row in corpus[corpus["sample_id"].isin(wanted)].itertuples():
            samples[language, row.sample_id] = torch.tensor(row.input_ids, dtype=torch.int64)
            own = token_texts(decode, row.input_ids.tolist())
            texts.append({"language": language, "sample_id": row.sample_id, "texts": own})
    rows: list[dict[str, Any]] = []
    with (
        placed(
            snakemake.input.model,
            settings.pop("dtype"),
            longest=max(map(len, samples.values())),
            batch_tokens=speed.batch_tokens,
            sweep_tokens=speed.sweep_tokens,
            rows=speed.batch_size or None,
            memory=speed.memory_gb * 1e9 or None,
        ) as (model, fit, passing),
        attribution(model, passing=passing, **settings) as attribute,
    ):
        places = list(samples)
        numbered = {number: samples[place] for number, place in enumerate(places)}
        for number, found in token_relevance(attribute, numbered, neurons, fit):
            language, sample = places[number]
            own = top[(top["language"] == language) & (top["sample_id"] == sample)]
            rows += example_rows(own, neurons, found)
    table = pd.DataFrame(rows).sort_values(["language", "layer", "neuron", "place"])
    print(f"{sum(map(len, neurons.values()))} neurons, {len(samples)} samples, {len(table)} examples")
    metadata = provenance(snakemake, model=identity(snakemake.input.model))
    write_table(table, snakemake.output.examples, metadata)
    write_table(pd.DataFrame(texts), snakemake.output.texts, metadata)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
