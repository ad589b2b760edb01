"""Models and tokenizers are loaded as they are saved; what cannot be read is told."""

from pathlib import Path
from typing import Any

import pytest
import torch
from crane.models import tokenizers
from crane.models.errors import ModelError
from crane.models.loading import load_model
from crane.models.tokenizers import load_tokenizer
from support import stock_tokenizers
from transformers import AutoTokenizer, GPT2Config, Qwen2Config


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("none", "model: no weights"),
        ("truncated", r"model\.safetensors: cut or damaged"),
        ("config", r"no readable config\.json"),
    ],
)
def test_a_folder_without_readable_weights_is_told(copied_model, damage, message):
    weights = copied_model / "model.safetensors"
    if damage == "none":
        weights.unlink()
    elif damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:-100])
    else:
        (copied_model / "config.json").write_text("{")
    with pytest.raises(ModelError, match=message):
        load_model(copied_model)


def test_a_damaged_tokenizer_is_told(copied_model):
    (copied_model / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match="model: no readable tokenizer"):
        load_tokenizer(copied_model)


def test_a_model_has_the_precision_asked_for_and_is_not_in_training(model_folder):
    assert load_model(model_folder, device="cpu").dtype == torch.float32
    model = load_model(model_folder, "bfloat16", "cpu")
    assert model.dtype == torch.bfloat16
    assert not model.training


def test_padding_falls_back_to_the_end_of_sequence(copied_model):
    tokenizer = load_tokenizer(copied_model)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(copied_model)
    assert load_tokenizer(copied_model).pad_token == "</s>"


@pytest.mark.parametrize("name", ["gpt2", "gpt2 with all its settings", "plain"])
def test_bos_is_added_by_a_tokenizer_that_leaves_it_out(tmp_path: Path, name: str):
    stock_tokenizers.write(name, tmp_path)
    GPT2Config().save_pretrained(tmp_path)
    stock, loaded = AutoTokenizer.from_pretrained(tmp_path), load_tokenizer(tmp_path)
    of_lm_eval = AutoTokenizer.from_pretrained(tmp_path, add_bos_token=True)  # its vLLM model loads its own
    for text in stock_tokenizers.TEXTS:
        ids = stock(text).input_ids
        assert ids[0] != stock.bos_token_id
        assert loaded(text).input_ids == of_lm_eval(text).input_ids == [stock.bos_token_id, *ids]
        assert loaded(text, truncation=True, max_length=2).input_ids == [stock.bos_token_id, ids[0]]
        assert loaded(text, add_special_tokens=False).input_ids == ids
        assert loaded.decode(loaded(text).input_ids, skip_special_tokens=True) == text


def test_a_tokenizer_without_bos_stays_without(tmp_path: Path):
    stock_tokenizers.write("qwen2", tmp_path)
    Qwen2Config().save_pretrained(tmp_path)
    stock, loaded = AutoTokenizer.from_pretrained(tmp_path), load_tokenizer(tmp_path)
    assert loaded.bos_token_id is None
    for text in stock_tokenizers.TEXTS:
        assert loaded(text).input_ids == stock(text).input_ids
        assert loaded.decode(loaded(text).input_ids) == text


def test_a_tokenizer_that_cannot_add_its_bos_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Stubborn:
        bos_token, bos_token_id, pad_token_id, unk_token_id = "<s>", 0, 1, 2

        def __call__(self, text: str, add_special_tokens: bool = True) -> Any:
            return type("Encoded", (), {"input_ids": [5]})

    stock_tokenizers.write("plain", tmp_path)
    monkeypatch.setattr(tokenizers, "_load", lambda folder: Stubborn())
    with pytest.raises(ModelError, match=r"does not put its BOS '<s>' before texts; save a tokenizer\.json"):
        load_tokenizer(tmp_path)
