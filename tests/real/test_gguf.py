"""A GGUF file as a Hugging Face folder."""

import json

import pytest
import torch
from crane.artefacts import read_json, sha256
from crane.evaluation.engine import Prompt
from crane.evaluation.hf import HuggingFaceEngine
from crane.models.errors import ModelError
from crane.models.folders import check_folder
from crane.models.gguf_files import check_gguf
from support.smollm2 import INTERMEDIATE, LAYERS


def test_the_folder_is_a_whole_model_in_float32_and_says_what_it_was(smollm2, gguf, model):
    check_folder(smollm2, "smollm2", LAYERS, INTERMEDIATE)
    manifest = read_json(smollm2 / "manifest.json")
    assert manifest["dequantised"] == {
        "from": ["F32", "Q4_1", "Q8_0"],
        "to": "float32",
        "sha256": sha256(gguf),
    }
    assert manifest["sha256"]["model.safetensors"] == sha256(smollm2 / "model.safetensors")
    assert "quantization_config" not in json.loads((smollm2 / "config.json").read_text())
    assert model.dtype == torch.float32 and sum(p.numel() for p in model.parameters()) == 134_515_008


def test_it_speaks_english(smollm2):
    engine = HuggingFaceEngine(smollm2)
    prompt = Prompt(engine.tokenizer("The capital of France is").input_ids, ())
    (answer,) = engine.generate([prompt], max_new_tokens=8)
    assert "Paris" in answer.text


def test_another_shape_is_refused_before_the_weights_are_read(gguf):
    with pytest.raises(ModelError, match="has 30 layers of 1536 neurons, the configuration says 32 of 1536"):
        check_gguf(gguf, "smollm2", 32, 1536)


def test_a_cut_file_is_refused(gguf, tmp_path):
    cut = tmp_path / "cut.gguf"
    with gguf.open("rb") as source:
        cut.write_bytes(source.read(2_000_000))
    with pytest.raises(ModelError, match=r"cut\.gguf: not a readable GGUF file"):
        check_gguf(cut, "cut", LAYERS, INTERMEDIATE)
