"""Tokenizers whose post-processor adds no BOS, in the form in which they are published."""

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

TEXTS = ["The capital of France is Paris.", "Which month comes after March?", "北京在中国。"]
# The special token of each, and what its tokenizer_config.json says.
PUBLISHED: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("<|endoftext|>", {"model_max_length": 1024}),
    "gpt2 with all its settings": (
        "<|endoftext|>",
        {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": False, "add_prefix_space": False,
         "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"},
    ),
    "plain": (
        "<s>",
        {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "<s>"},
    ),
    "qwen2": (
        "<|endoftext|>",
        {"tokenizer_class": "Qwen2Tokenizer", "add_bos_token": False, "bos_token": None,
         "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "unk_token": None},
    ),
}  # fmt: skip


def write(name: str, folder: Path) -> int:
    """Write a small byte-level tokenizer of one form; return the size of its vocabulary."""
    special, settings = PUBLISHED[name]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=[special], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return tokenizer.get_vocab_size()
