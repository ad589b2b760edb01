"""Relevance as stock LXT computes it, recorded once: LXT 2.1 as published, under the transformers that it was made for.

Run to record again, in an environment with lxt 2.1, transformers 4.52.4 and torchvision (or an empty stand-in for
LXT's map of torchvision's classes):

    python tests/support/stock_lxt.py tests/support/stock_lxt.json

The models are made of numbers that depend on no library's initialisation, so that both environments build the same.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

RECORDED = Path(__file__).with_suffix(".json")
IDS = [[0, 17, 5, 11, 23, 8, 2, 19]]
_SHAPE: dict[str, Any] = {
    "vocab_size": 24, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 4, "max_position_embeddings": 32, "tie_word_embeddings": False,
}  # fmt: skip
_GPT2 = {"vocab_size": 24, "n_embd": 16, "n_inner": 20, "n_layer": 2, "n_head": 4, "n_positions": 32}
FAMILIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", "LlamaForCausalLM", _SHAPE),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", _SHAPE),
    "qwen3": ("Qwen3Config", "Qwen3ForCausalLM", _SHAPE),
    "gemma3": (
        "Gemma3TextConfig",
        "Gemma3ForCausalLM",
        _SHAPE | {"query_pre_attn_scalar": 4, "sliding_window": 4},
    ),
    "gpt2": ("GPT2Config", "GPT2LMHeadModel", _GPT2 | {"tie_word_embeddings": False}),
}
"""LXT's name -> configuration, class and settings."""


def build(family: str, dtype: torch.dtype = torch.float64) -> Any:
    """Return a model of two layers whose every weight is given by its name's place in the alphabet."""
    config, model_class, settings = FAMILIES[family]
    special = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    model = getattr(transformers, model_class)(getattr(transformers, config)(**settings, **special)).eval()
    for number, (name, parameter) in enumerate(sorted(model.named_parameters())):
        drawn = np.random.RandomState(number).standard_normal(tuple(parameter.shape)) * 0.2
        scales = parameter.ndim == 1 and name.endswith("weight") and family != "gemma3"
        parameter.data = torch.from_numpy(drawn + scales)
    return model.to(dtype)


def _record(family: str) -> dict[str, Any]:
    lxt = importlib.import_module("lxt.efficient")
    model = build(family)
    lxt.monkey_patch(sys.modules[type(model).__module__])
    kept = []

    def keep(module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        inputs[0].retain_grad()
        kept.append(inputs[0])

    for name, module in model.named_modules():
        if name.endswith(("mlp.down_proj", "mlp.c_proj")):
            module.register_forward_pre_hook(keep)
    ids = torch.tensor(IDS)
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
    logits.gather(2, ids[:, 1:, None]).mean().backward()
    return {
        "logits": logits.detach().flatten()[:24].tolist(),
        "relevance": [(value * value.grad)[0].sum(0).tolist() for value in kept],
    }


if __name__ == "__main__":
    made_with = {"transformers": transformers.__version__, "lxt": "2.1", "torch": torch.__version__}
    found = {family: _record(family) for family in FAMILIES}
    Path(sys.argv[1]).write_text(json.dumps({"made with": made_with, **found}) + "\n")
