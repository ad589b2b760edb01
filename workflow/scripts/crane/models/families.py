"""The model families: what a configuration says of a model, and what its modules are called; no other module knows.

A neuron (method: site `intermediate`) is one coordinate of the input of the MLP's second linear layer; in a gated MLP
that is act(gate) * up.
"""

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from crane.errors import CraneError

if TYPE_CHECKING:
    from torch import Tensor

NormKind = Literal["rms", "rms_offset", "layer"]
"""x / rms(x) times the weight, times 1 + weight (Gemma), or LayerNorm."""


class Family(NamedTuple):
    """Module names inside one decoder layer of a model family."""

    mlp: str
    """Empty if the layer itself has the MLP's modules."""
    down: str
    """The MLP's second linear layer."""
    activation: str
    """The module whose positive output LAPE counts."""
    gate: str | None
    """The gate projection, or None for an MLP without one."""
    up: str
    fused: bool = False
    """The output of `up` is [gate; up]."""
    norm: NormKind = "rms"
    attention: str = "self_attn"
    query_key_value: tuple[str, ...] = ("q_proj", "k_proj", "v_proj")
    """The attention's projections: three, or one whose output is [query; key; value]."""
    by_head: bool = False
    """The output of the one projection is [query; key; value] of the first head, then of the second, and so on."""
    text: str | None = None
    """Attribute of the text decoder within the base model, where that is not the decoder itself."""
    tuples: bool = False
    """Layers return their hidden states in a tuple."""
    attention_cap: str | None = None
    """Configuration key of the cap c, if attention scores s are soft-capped to c tanh(s / c)."""
    logit_cap: str | None = None
    """Configuration key of the logits' soft-cap."""
    logit_factor: str | None = None
    """Configuration key of a factor of the logits."""
    logit_divisor: str | None = None
    """Configuration key of a divisor of the logits."""
    vllm: bool = True
    """Whether masks in vLLM are tested with this family."""


_GATED = Family(mlp="mlp", down="down_proj", activation="act_fn", gate="gate_proj", up="up_proj")
_GEMMA = _GATED._replace(norm="rms_offset")
_HF_ONLY = _GATED._replace(vllm=False)
_COHERE = _HF_ONLY._replace(norm="layer", logit_factor="logit_scale")
_NEOX = Family(
    mlp="mlp", down="dense_4h_to_h", activation="act", gate=None, up="dense_h_to_4h", norm="layer",
    attention="attention", query_key_value=("query_key_value",), by_head=True, vllm=False,
)  # fmt: skip
_FAIRSEQ = Family(
    mlp="", down="fc2", activation="activation_fn", gate=None, up="fc1", norm="layer", vllm=False
)
FAMILIES: dict[str, Family] = {
    "llama": _GATED,
    "mistral": _GATED,
    "qwen2": _GATED,
    "qwen3": _GATED,
    "gemma": _GEMMA,
    "gemma2": _GEMMA._replace(attention_cap="attn_logit_softcapping", logit_cap="final_logit_softcapping"),
    # transformers applies Gemma 3's caps (null in the published models) to the logits of the text model alone.
    "gemma3_text": _GEMMA._replace(logit_cap="final_logit_softcapping"),
    "gemma3": _GEMMA._replace(text="language_model"),
    "gpt2": Family(
        mlp="mlp", down="c_proj", activation="act", gate=None, up="c_fc",
        norm="layer", attention="attn", query_key_value=("c_attn",),
    ),
    "olmo2": _HF_ONLY,
    "olmo3": _HF_ONLY,
    "smollm3": _HF_ONLY,
    "exaone4": _HF_ONLY,
    "granite": _HF_ONLY._replace(logit_divisor="logits_scaling"),
    "cohere": _COHERE,
    "cohere2": _COHERE,
    "starcoder2": Family(
        mlp="mlp", down="c_proj", activation="act", gate=None, up="c_fc", norm="layer", vllm=False
    ),
    "phi3": Family(
        mlp="mlp", down="down_proj", activation="activation_fn", gate=None, up="gate_up_proj", fused=True,
        query_key_value=("qkv_proj",), vllm=False,
    ),
    "gpt_neox": _NEOX,
    "bloom": _NEOX._replace(activation="gelu_impl", attention="self_attention", tuples=True),
    "opt": _FAIRSEQ._replace(text="decoder"),
    "xglm": _FAIRSEQ,
}  # fmt: skip
_ATTENTIONS = {"full_attention", "sliding_attention"}


class UnsupportedModelError(CraneError, ValueError):
    """The model family is unknown or its weights cannot be masked."""


def family_of(config: Any) -> Family:
    """Return the family of a model's configuration.

    Raises:
        UnsupportedModelError: it is not in `FAMILIES`, or the model's attention is not causal softmax attention.
    """
    kind = config.model_type
    if kind not in FAMILIES:
        raise UnsupportedModelError(
            f"model type {kind!r} is not supported; supported: {', '.join(sorted(FAMILIES))}"
        )
    text = config.get_text_config()
    if getattr(text, "use_bidirectional_attention", None):
        raise UnsupportedModelError(
            f"this {kind!r} has bidirectional attention, so that it does not predict the next token"
        )
    if others := set(getattr(text, "layer_types", None) or ()) - _ATTENTIONS:
        raise UnsupportedModelError(
            f"this {kind!r} has layers of {', '.join(sorted(others))}; relevance needs full or sliding attention"
        )
    return FAMILIES[kind]


def positions(config: Any) -> int | None:
    """Return the number of positions that a model's configuration provides for, or None if it has no limit."""
    return getattr(config.get_text_config(), "max_position_embeddings", None)


def neurons_per_layer(config: Any) -> int:
    """Return the width of the MLPs, as a model's configuration states it."""
    text = config.get_text_config()
    stated = (getattr(text, name, None) for name in ("intermediate_size", "ffn_dim", "n_inner"))
    return next((width for width in stated if width), 4 * text.hidden_size)


def attention_cap(config: Any) -> float | None:
    """Return the soft-cap c of a model's attention scores (s becomes c tanh(s / c)), or None; raises as `family_of`."""
    name = family_of(config).attention_cap
    return getattr(config, name) if name else None


def logit_cap(config: Any) -> float | None:
    """Return the soft-cap of a model's logits, or None; raises as `family_of`."""
    name = family_of(config).logit_cap
    return getattr(config, name) if name else None


def check_vllm(config: Any) -> None:
    """Refuse a model whose masks are not tested in vLLM.

    Raises:
        UnsupportedModelError: says what to set instead; or as `family_of`.
    """
    if not family_of(config).vllm:
        raise UnsupportedModelError(
            f"masks in vLLM are not tested with model type {config.model_type!r}; set engine: hf"
        )


def scaled_logits(config: Any, logits: "Tensor") -> "Tensor":
    """Return what a model makes of its output layer's values before any soft-cap; raises as `family_of`."""
    family = family_of(config)
    if family.logit_factor:
        logits = logits * getattr(config, family.logit_factor)
    if family.logit_divisor:
        logits = logits / getattr(config, family.logit_divisor)
    return logits
