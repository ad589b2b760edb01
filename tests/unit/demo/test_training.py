"""The demo's models: ordinary folders, bitwise the same, or nothing."""

import json

import pytest
import torch
from crane.demo import training
from crane.demo.training import BaseSettings, ChatSettings, train_base, train_chat
from transformers import AutoModelForCausalLM, AutoTokenizer

TINY = {"steps": 3, "batch_size": 2, "length": 32}


@pytest.fixture
def one_thread():
    """Training sets the process's threads: give the next tests what they had."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_training_writes_ordinary_folders_bitwise_the_same(tmp_path, documents, one_thread):
    base, again, chat = (tmp_path / name for name in ("base", "again", "chat"))
    settings = BaseSettings(vocabulary=600, hidden_size=16, intermediate_size=32, layers=2, **TINY)
    train_base(documents, base, settings, threads=1)
    train_base(documents, again, settings, threads=1)
    train_chat(documents, base, chat, ChatSettings(**TINY), threads=1)
    assert (base / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()
    assert (base / "model.safetensors").read_bytes() != (chat / "model.safetensors").read_bytes()
    for folder in (base, chat):
        model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        assert model.config.model_type == "llama" and not model.generation_config.do_sample
        assert len(tokenizer) == model.config.vocab_size and tokenizer.model_max_length == 512
        assert len(manifest["losses"]) == 3 and manifest["settings"]["batch_size"] == 2
    turns = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "I"}]
    assert tokenizer.apply_chat_template(turns, tokenize=False) == "<s>Q: Who?\nA: I\n"
    assert {path.name for path in tmp_path.iterdir()} == {"base", "again", "chat"}


def test_an_interrupted_run_leaves_nothing(tmp_path, documents, monkeypatch, one_thread):
    (tmp_path / ".base.partial").mkdir()  # of a run that was killed

    def interrupt(*_: object) -> None:
        assert (tmp_path / ".base.partial" / "model.safetensors").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "write_json", interrupt)
    settings = BaseSettings(vocabulary=600, hidden_size=16, intermediate_size=32, layers=1, **TINY)
    with pytest.raises(KeyboardInterrupt):
        train_base(documents, tmp_path / "base", settings, threads=1)
    assert list(tmp_path.iterdir()) == []
