"""Where the neurons, norms and projections of each model family are; no other module knows module names.

A neuron (method: site `intermediate`) is one coordinate of the input of the MLP's second linear layer; in a
gated MLP that is act(gate) * up. At site `residual_write` it is one coordinate of that layer's output.
"""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from crane.errors import CraneError

Site = Literal["intermediate", "residual_write"]
SITES: tuple[Site, ...] = ("intermediate", "residual_write")
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
_LAYER_LISTS = ("layers", "h")


class UnsupportedModelError(CraneError, ValueError):
    """The model family is unknown or its weights cannot be masked."""


class MLP(NamedTuple):
    """The MLP of one decoder layer."""

    layer: nn.Module
    """The decoder layer it belongs to."""
    module: nn.Module
    """What reads the MLP's input: the MLP, or its first linear layer where the MLP is no module of its own."""
    down: nn.Module
    activation: nn.Module
    gate: nn.Module | None
    up: nn.Module
    fused: bool
    """The output of `up` is [gate; up]."""

    @property
    def gated(self) -> bool:
        """Whether neurons are products of an activated gate and another factor."""
        return self.gate is not None or self.fused


class Attention(NamedTuple):
    """The attention of one decoder layer."""

    module: nn.Module
    projections: tuple[nn.Module, ...]
    """Of query, key and value; or one for all three."""


class Norm(NamedTuple):
    """A normalisation y = (x - mean, in a LayerNorm) * factor / sigma (+ bias)."""

    module: nn.Module
    kind: NormKind
    epsilon: float

    def factor(self) -> Tensor:
        """Return what the normalised values are multiplied by, of the weight's shape and dtype."""
        weight = cast(Tensor, self.module.weight)
        return weight + 1 if self.kind == "rms_offset" else weight


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


def scaled_logits(config: Any, logits: Tensor) -> Tensor:
    """Return what a model makes of its output layer's values before any soft-cap; raises as `family_of`."""
    family = family_of(config)
    if family.logit_factor:
        logits = logits * getattr(config, family.logit_factor)
    if family.logit_divisor:
        logits = logits / getattr(config, family.logit_divisor)
    return logits


def decoder(model: Any) -> nn.Module:
    """Return the text decoder of a model; raises as `family_of`."""
    text = family_of(model.config).text
    return model.base_model if text is None else getattr(model.base_model, text)


def _layers(model: Any) -> Iterable[nn.Module]:
    below = decoder(model)
    return next(getattr(below, name) for name in _LAYER_LISTS if hasattr(below, name))


def mlps(model: Any) -> list[MLP]:
    """Return the MLPs of a Hugging Face causal language model in layer order (K entries).

    Raises:
        UnsupportedModelError: the family is not in `FAMILIES`, or the loaded attention does not apply its soft-cap.
    """
    family = family_of(model.config)
    attention = model.config._attn_implementation
    if attention_cap(model.config) is not None and attention != "eager":
        raise UnsupportedModelError(
            f"{attention!r} attention does not soft-cap the scores of {model.config.model_type!r}, so that it computes "
            "another model; load it with attn_implementation='eager'"
        )
    blocks = []
    for layer in _layers(model):
        mlp = getattr(layer, family.mlp) if family.mlp else layer
        blocks.append(
            MLP(
                layer=layer,
                module=mlp if family.mlp else getattr(mlp, family.up),
                down=getattr(mlp, family.down),
                activation=getattr(mlp, family.activation),
                gate=getattr(mlp, family.gate) if family.gate else None,
                up=getattr(mlp, family.up),
                fused=family.fused,
            )
        )
    return blocks


def attentions(model: Any) -> list[Attention]:
    """Return the attentions of a model in layer order; raises as `family_of`."""
    family = family_of(model.config)
    attentions_by_layer = []
    for layer in _layers(model):
        module = getattr(layer, family.attention)
        attentions_by_layer.append(
            Attention(module, tuple(getattr(module, name) for name in family.query_key_value))
        )
    return attentions_by_layer


def query_key_value_columns(model: Any) -> Tensor:
    """Return what each output of a model's joint projection belongs to, int64: 0 query, 1 key, 2 value."""
    config = model.config.get_text_config()
    heads = config.num_attention_heads
    shared = getattr(config, "num_key_value_heads", None) or heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    if family_of(model.config).by_head:
        return torch.tensor([0, 1, 2]).repeat_interleave(size).repeat(heads)
    return torch.tensor([0, 1, 2]).repeat_interleave(torch.tensor([heads, shared, shared]) * size)


def norms(model: Any) -> list[Norm]:
    """Return all normalisations of a model's text decoder, wherever they are; raises as `family_of`."""
    kind = family_of(model.config).norm
    norms_of_decoder = []
    for module in decoder(model).modules():
        if type(module).__name__.endswith("Norm"):
            epsilon = module.eps if hasattr(module, "eps") else module.variance_epsilon
            norms_of_decoder.append(Norm(module, kind, cast(float, epsilon)))
    return norms_of_decoder


def _down_weight(down: nn.Module) -> Tensor:
    weight = getattr(down, "weight", None)
    if not isinstance(weight, nn.Parameter) or not weight.is_floating_point() or weight.ndim != 2:
        raise UnsupportedModelError(
            f"the weight of {type(down).__name__} is not a plain floating-point matrix (quantised?); "
            "load the model in bfloat16 or float32"
        )
    return weight


def write_weights(down: nn.Module, site: Site) -> list[Tensor]:
    """Return views of the down projection's parameters whose row n is everything that neuron n writes.

    Setting row n to zero in every view masks neuron n: the column of the weight at site `intermediate`; the row of the
    weight and the bias entry at `residual_write`.
    """
    # Imported here: it takes a second, and what only handles sets of neurons does without.
    from transformers.pytorch_utils import Conv1D

    weight = _down_weight(down)
    per_input = weight if isinstance(down, Conv1D) else weight.T  # [I, H], the layout of GPT-2's Conv1D
    if site == "intermediate":
        return [per_input]
    if site != "residual_write":
        raise ValueError(f"unknown site {site!r}; known: {', '.join(SITES)}")
    bias: Tensor | None = getattr(down, "bias", None)
    return [per_input.T] + ([bias.unsqueeze(1)] if bias is not None else [])


def width(model: Any, site: Site = "intermediate") -> int:
    """Return the number of neurons per layer at a site (the same in all layers)."""
    widths = {write_weights(mlp.down, site)[0].shape[0] for mlp in mlps(model)}
    if len(widths) != 1:
        raise UnsupportedModelError(f"layers of different width: {sorted(widths)}")
    return widths.pop()


def shape(model: Any, site: Site = "intermediate") -> torch.Size:
    """Return `[K, I]`: layers and neurons per layer."""
    return torch.Size([len(mlps(model)), width(model, site)])
