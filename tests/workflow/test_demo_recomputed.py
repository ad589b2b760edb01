"""Results of the reduced demo study, computed once more by hand from its models."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from crane.artefacts import read_jsonl, read_table
from crane.models.loading import load_model
from crane.models.tokenizers import load_tokenizer
from crane.neurons.interventions import masked
from crane.neurons.neuron_set import NeuronSet
from support.reduced_study import LANGUAGES
from support.workspace import Workspace

pytestmark = pytest.mark.slow


@torch.no_grad()
def choices_by_hand(model: Any, tokenizer: Any, question: dict[str, Any]) -> list[float]:
    """Return the log-likelihood of each choice, from a forward pass of its own."""
    prompt = tokenizer(f"Q: {question['question']}\nA:").input_ids
    sums = []
    for choice in question["choices"]:
        ids = torch.tensor([tokenizer(f"Q: {question['question']}\nA: {choice}").input_ids])
        logprobs = model(ids).logits[0].log_softmax(-1)
        sums.append(sum(float(logprobs[t - 1, ids[0, t]]) for t in range(len(prompt), ids.shape[1])))
    return sums


def test_a_stored_answer_is_what_the_masked_model_says(study: Workspace) -> None:
    """Recompute one question under one mask by hand: chat model, masks of the base model."""
    answers = read_table(study.results / "evaluations" / "chat" / "dispersion" / "quiz.parquet")
    row = answers[(answers["mask_language"] == "zh") & (answers["benchmark"] == "quiz_zh")].iloc[7]
    question = read_jsonl(study.results / "generated" / "zh" / "benchmark.jsonl")[row["doc_id"]]
    model, tokenizer = (load(study.results / "models" / "chat") for load in (load_model, load_tokenizer))
    neurons = NeuronSet.read_parquet(study.results / "masks" / "base" / "dispersion.parquet")
    with masked(model, neurons, "zh"):
        by_hand = choices_by_hand(model, tokenizer, question)
    assert by_hand == pytest.approx(row["loglikelihoods"].tolist(), abs=1e-4)


def test_a_stored_answer_is_what_the_model_says_at_mean_values(study: Workspace) -> None:
    """The neurons set, by hand, to the mean of their means over the tokens of each of the three corpora."""
    answers = read_table(study.results / "evaluations" / "base" / "dispersion-mean" / "quiz.parquet")
    row = answers[(answers["mask_language"] == "vi") & (answers["benchmark"] == "quiz_vi")].iloc[3]
    question = read_jsonl(study.results / "generated" / "vi" / "benchmark.jsonl")[row["doc_id"]]
    model, tokenizer = (load(study.results / "models" / "base") for load in (load_model, load_tokenizer))
    sums, means = [0.0] * 4, [0.0] * 4
    handles = []
    for k, layer in enumerate(model.model.layers):

        def add(module: Any, inputs: Any, k: int = k) -> None:
            sums[k] = sums[k] + inputs[0][0].double().sum(0)

        handles.append(layer.mlp.down_proj.register_forward_pre_hook(add))
    with torch.no_grad():
        for code in LANGUAGES:
            sums[:], tokens = [0.0] * 4, 0
            for ids in read_table(study.results / "corpora" / "base" / f"{code}.parquet")["input_ids"]:
                model(torch.tensor([list(ids)], dtype=torch.int64))
                tokens += len(ids)
            means = [mean + total / tokens / len(LANGUAGES) for mean, total in zip(means, sums, strict=True)]
    for handle in handles:
        handle.remove()
    neurons = NeuronSet.read_parquet(study.results / "masks" / "base" / "dispersion.parquet")
    for k, layer in enumerate(model.model.layers):
        index = torch.from_numpy(neurons["vi"][k])
        fixed = means[k].float()[index]

        def replace(module: Any, inputs: Any, index: Any = index, fixed: Any = fixed) -> Any:
            values = inputs[0].clone()
            values[..., index] = fixed
            return (values,)

        layer.mlp.down_proj.register_forward_pre_hook(replace)
    by_hand = choices_by_hand(model, tokenizer, question)
    assert by_hand == pytest.approx(row["loglikelihoods"].tolist(), abs=1e-3)


def test_perplexity_is_of_texts_that_relevance_never_saw(study: Workspace) -> None:
    table = read_table(study.results / "perplexity.parquet")
    assert len(table) == 3 * (1 + 3)
    model = load_model(study.results / "models" / "base")
    for code in LANGUAGES:
        held_out = read_table(study.results / "held_out" / "base" / f"{code}.parquet")
        used = read_table(study.results / "corpora" / "base" / f"{code}.parquet")["text_sha256"]
        assert len(held_out) == 50 and not set(held_out["text_sha256"]) & set(used)
        total, tokens = 0.0, 0
        with torch.no_grad():
            for ids in held_out["input_ids"]:
                row = torch.tensor([list(ids)], dtype=torch.int64)
                total += float(model(row, labels=row).loss) * (len(ids) - 1)
                tokens += len(ids) - 1
        own = table[(table["mask_set"] == "original") & (table["language"] == code)]
        assert own["perplexity"].item() == pytest.approx(np.exp(total / tokens), rel=1e-4)
        assert own["tokens"].item() == tokens


def test_a_masked_checkpoint_and_lists_of_neurons_are_exported_on_demand(study: Workspace) -> None:
    folder, lists = (
        "results/reduced/exports/chat/dispersion-x0.5/vi",
        "results/reduced/exports/dispersion.pth",
    )
    study.run(folder, lists)
    neurons = NeuronSet.read_parquet(study.results / "masks" / "base" / "dispersion.parquet")
    model, exported = (
        load_model(path) for path in (study.results / "models" / "chat", study.folder / folder)
    )
    ids = load_tokenizer(study.folder / folder)("Q: Thủ đô của Pháp là gì?", return_tensors="pt").input_ids
    with torch.no_grad(), masked(model, neurons, "vi", scale=0.5):
        assert torch.equal(exported(ids).logits, model(ids).logits)
    manifest = json.loads((study.folder / folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["mask_set"] == "dispersion-x0.5" and manifest["masked"]["scale"] == 0.5
    languages = json.loads((study.results / "exports" / "dispersion.json").read_text())["languages"]
    back = NeuronSet.read_lape(study.folder / lists, languages)
    for language in LANGUAGES:
        for layer, index in neurons[language].items():
            assert np.array_equal(back[language][layer], index)
