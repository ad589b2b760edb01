"""A masked checkpoint says what the masked model says, and keeps all other weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from crane.artefacts import read_json, write_json
from crane.models.errors import ModelError
from crane.models.loading import load_model
from crane.models.manifests import file_hashes
from crane.models.tokenizers import load_tokenizer
from crane.models.weights import read_headers, weight_files
from crane.neurons.interventions import masked
from crane.neurons.masked_checkpoint import export_masked
from crane.neurons.neuron_set import NeuronSet

LANGUAGES = ["en", "vi"]


def mask(layers: int, width: int, site: str = "intermediate") -> NeuronSet:
    flags = np.random.default_rng(0).random((len(LANGUAGES), layers, width)) < 0.2
    return NeuronSet.from_flags(flags, LANGUAGES, site)


@pytest.mark.parametrize(("family", "site"), [("llama", "intermediate"), ("llama", "residual_write"),
                                              ("qwen3", "intermediate"), ("gpt2", "residual_write")])  # fmt: skip
def test_the_checkpoint_is_the_masked_model(make_model, make_batch, tokenizer, tmp_path, family, site):
    model = make_model(family)
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    width = 48 if site == "intermediate" else 32
    neurons = mask(3, width, site)
    manifest = export_masked(tmp_path / "model", tmp_path / "out", neurons, "vi", {"mask_set": "crane"})
    ids, attention = make_batch([7, 4])
    exported = load_model(tmp_path / "out")
    with torch.no_grad():
        plain = model(ids, attention_mask=attention).logits
        with masked(model, neurons, "vi"):
            expected = model(ids, attention_mask=attention).logits
        found = exported(ids, attention_mask=attention).logits
    assert torch.equal(found, expected)
    assert (found - plain).abs().max() > 0.01
    changed = [
        n for n, p in exported.named_parameters() if not torch.equal(p, dict(model.named_parameters())[n])
    ]
    assert changed and all("down_proj" in name or "mlp.c_proj" in name for name in changed)
    assert manifest["masked"] == {
        "language": "vi",
        "site": site,
        "neurons": neurons.total("vi"),
        "scale": 0.0,
    }
    assert read_json(tmp_path / "out" / "manifest.json") == manifest
    assert manifest["sha256"] == file_hashes(tmp_path / "out") and "model.safetensors" in manifest["sha256"]


def test_the_precision_is_that_of_the_weights_whatever_the_configuration_states(
    model_folder: Path, tmp_path: Path
):
    config = read_json(model_folder / "config.json")
    write_json({**config, "dtype": "bfloat16"}, model_folder / "config.json")
    export_masked(model_folder, tmp_path / "out", mask(3, 48), "en", {})
    stored, exported = (read_headers(weight_files(folder)) for folder in (model_folder, tmp_path / "out"))
    assert {tensor.dtype for tensor in exported.values()} == {tensor.dtype for tensor in stored.values()}
    assert {tensor.dtype for tensor in exported.values()} == {torch.float32}


def test_dampened_neurons_are_exported_as_such(model_folder: Path, make_batch, tmp_path: Path):
    neurons = mask(3, 48)
    export_masked(model_folder, tmp_path / "out", neurons, "en", {}, scale=0.5)
    ids, attention = make_batch([7])
    model = load_model(model_folder)
    with torch.no_grad(), masked(model, neurons, "en", scale=0.5):
        expected = model(ids, attention_mask=attention).logits
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path / "out")(ids, attention_mask=attention).logits, expected)


def test_tokenizer_and_precision_are_kept(model_folder: Path, tmp_path: Path):
    source = tmp_path / "half"
    load_model(model_folder, "bfloat16").save_pretrained(source)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (source / name).write_bytes((model_folder / name).read_bytes())
    before = file_hashes(source)
    export_masked(source, tmp_path / "out", mask(3, 48), "en", {})
    text = "The capital of France"
    assert load_tokenizer(tmp_path / "out")(text).input_ids == load_tokenizer(source)(text).input_ids
    from transformers import AutoModelForCausalLM

    exported = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto")
    assert exported.dtype == torch.bfloat16
    assert file_hashes(source) == before


def test_what_does_not_fit_is_told_and_leaves_nothing(model_folder: Path, tmp_path: Path):
    for neurons, language, message in (
        (mask(4, 48), "en", "made for 4 layers, the model has 3"),
        (mask(3, 64), "en", "does not exist"),
        (mask(3, 48), "fr", "no mask for language 'fr'"),
    ):
        with pytest.raises(ModelError, match=message):
            export_masked(model_folder, tmp_path / "out", neurons, language, {})
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ModelError, match="no tokenizer"):
        load_model(model_folder).save_pretrained(tmp_path / "without")
        export_masked(tmp_path / "without", tmp_path / "out", mask(3, 48), "en", {})
