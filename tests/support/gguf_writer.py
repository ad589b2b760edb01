"""Writes a tiny LLaMA as a GGUF file, as llama.cpp does."""

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter
from tokenizers.pre_tokenizers import ByteLevel

PLACES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
TOKENS = ["<s>", "</s>", *sorted(ByteLevel.alphabet()), "ll"]
"""Vocabulary: begin, end, a token per byte, and one that is merged."""


def write(model: Any, path: Path, *, without: str = "", more: tuple[str, ...] = (), cut: str = "") -> Path:
    """Write a LLaMA of `len(TOKENS)` tokens.

    Args:
        model: of transformers.
        path: the file.
        without: name of a tensor to leave out.
        more: names of tensors that no LLaMA has.
        cut: name of a tensor that loses a row.
    """
    config = model.config
    file = GGUFWriter(path, "llama")
    file.add_block_count(config.num_hidden_layers)
    file.add_context_length(config.max_position_embeddings)
    file.add_embedding_length(config.hidden_size)
    file.add_feed_forward_length(config.intermediate_size)
    file.add_head_count(config.num_attention_heads)
    file.add_head_count_kv(config.num_key_value_heads)
    file.add_layer_norm_rms_eps(config.rms_norm_eps)
    file.add_rope_freq_base(config.rope_parameters["rope_theta"])
    file.add_vocab_size(config.vocab_size)
    file.add_tokenizer_model("gpt2")
    file.add_token_list(TOKENS)
    file.add_token_types([3, 3, *[1] * (len(TOKENS) - 2)])
    file.add_token_merges(["l l"])
    file.add_bos_token_id(0)
    file.add_eos_token_id(1)
    for name, value in model.state_dict().items():
        array = value.float().numpy()
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
            array = _interleaved(array, heads)
        place = _place(name)
        if place != without:
            file.add_tensor(place, np.ascontiguousarray(array[:-1] if place == cut else array))
    for name in more:
        file.add_tensor(name, np.ones((4, 4), np.float32))
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return path


def _place(name: str) -> str:
    whole = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    if name in whole:
        return whole[name]
    if name == "lm_head.weight":
        return "output.weight"
    _, _, layer, module = name.removesuffix(".weight").split(".", 3)
    return f"blk.{layer}.{PLACES[module]}.weight"


def _interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Return the rows of a query or key projection in llama.cpp's order of rotary pairs."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, weight.shape[1])
    return halves.swapaxes(1, 2).reshape(weight.shape)
