"""The model families: what a configuration says of a model, and what its modules are called; no other module knows.

A neuron (method: site `intermediate`) is one coordinate of the input of the MLP's second linear layer; in a gated MLP
that is act(gate) * up.
"""

from collections.abc import Collection
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
    experts: bool = False
    """The MLP routes each token to some of its experts, which are its module `experts`."""
    expert_width: str = "intermediate_size"
    """Configuration key of the neurons of one expert."""
    shared: str | None = None
    """Attribute of the expert beside them that sees every token; `down`, `gate` and so on are its modules."""
    shared_gate: str | None = None
    """Attribute of the linear layer whose sigmoid scales the shared expert's output."""
    shared_width: str | None = None
    """Configuration key of the shared expert's neurons."""

    @property
    def gated(self) -> bool:
        """Whether the MLP has a gate: a projection of its own, or half of `up`."""
        return self.gate is not None or self.fused


_GATED = Family(mlp="mlp", down="down_proj", activation="act_fn", gate="gate_proj", up="up_proj")
_GEMMA = _GATED._replace(norm="rms_offset")
_COHERE = _GATED._replace(norm="layer", logit_factor="logit_scale")
_NEOX = Family(
    mlp="mlp", down="dense_4h_to_h", activation="act", gate=None, up="dense_h_to_4h", norm="layer",
    attention="attention", query_key_value=("query_key_value",), by_head=True,
)  # fmt: skip
_FAIRSEQ = Family(mlp="", down="fc2", activation="activation_fn", gate=None, up="fc1", norm="layer")
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
    "olmo2": _GATED,
    "olmo3": _GATED,
    "smollm3": _GATED,
    "exaone4": _GATED,
    "granite": _GATED._replace(logit_divisor="logits_scaling"),
    "cohere": _COHERE,
    "cohere2": _COHERE,
    "starcoder2": Family(mlp="mlp", down="c_proj", activation="act", gate=None, up="c_fc", norm="layer"),
    "phi3": Family(
        mlp="mlp", down="down_proj", activation="activation_fn", gate=None, up="gate_up_proj", fused=True,
        query_key_value=("qkv_proj",),
    ),
    "gpt_neox": _NEOX,
    "bloom": _NEOX._replace(activation="gelu_impl", attention="self_attention", tuples=True),
    "opt": _FAIRSEQ._replace(text="decoder"),
    "xglm": _FAIRSEQ,
}  # fmt: skip
_ROUTED = _GATED._replace(experts=True)
FAMILIES |= {
    "mixtral": _ROUTED,
    "qwen2_moe": _ROUTED._replace(
        expert_width="moe_intermediate_size", shared="shared_expert", shared_gate="shared_expert_gate",
        shared_width="shared_expert_intermediate_size",
    ),
    "qwen3_moe": _ROUTED._replace(expert_width="moe_intermediate_size"),
    "olmoe": _ROUTED,
    "gpt_oss": _ROUTED,
}  # fmt: skip
_ATTENTIONS = {"full_attention", "sliding_attention"}


class UnsupportedModelError(CraneError, ValueError):
    """The model family is unknown or its weights cannot be masked."""


def check_gate(config: Any, accumulators: Collection[str]) -> None:
    """Check that a model's MLPs have what accumulators (`crane.relevance.accumulated_columns`) read.

    Raises:
        UnsupportedModelError: `up` is asked for, which neurons that are no products do not have.
    """
    if "up" in accumulators and not family_of(config).gated:
        raise UnsupportedModelError(
            "importance: up_abs ranks by the output of the up projection beside a gate, which this model's MLPs "
            "do not have; set importance: output"
        )


def family_of(config: Any) -> Family:
    """Return the family of a model's configuration.

    Raises:
        UnsupportedModelError: it is not in `FAMILIES`, the model's attention is not causal softmax attention, its
            queries, keys and values are clipped, or only some of its layers have experts.
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
    if getattr(text, "clip_qkv", None) is not None:
        raise UnsupportedModelError(
            f"this {kind!r} clips queries, keys and values (clip_qkv), for which there is no rule of relevance"
        )
    dense = getattr(text, "mlp_only_layers", None), getattr(text, "decoder_sparse_step", 1)
    if FAMILIES[kind].experts and (dense[0] or dense[1] != 1):
        raise UnsupportedModelError(
            f"this {kind!r} has layers with experts and layers without (mlp_only_layers {dense[0]}, "
            f"decoder_sparse_step {dense[1]}); all layers must have the same number of neurons"
        )
    return FAMILIES[kind]


class Groups(NamedTuple):
    """The neurons of a layer with experts: of expert 0, of expert 1, and so on, and of the shared expert at the end."""

    experts: int
    width: int
    """Neurons of one expert."""
    shared: int = 0
    """Neurons of the shared expert, which sees every token."""

    @property
    def neurons(self) -> int:
        """Return N, the number of neurons of the layer: that of neuron i of expert e is e * width + i."""
        return self.routed + self.shared

    @property
    def routed(self) -> int:
        """Return the number of neurons in experts to which tokens are routed."""
        return self.experts * self.width

    @property
    def number(self) -> int:
        """Return G, the number of groups."""
        return self.experts + bool(self.shared)

    def spread(self, of_groups: "Tensor") -> "Tensor":
        """Return a value of each group `[..., G]` as one of each neuron `[..., N]`."""
        # Imported here, because who only asks what a configuration says needs no PyTorch.
        from torch import cat

        routed = of_groups[..., : self.experts].repeat_interleave(self.width, -1)
        if not self.shared:
            return routed
        return cat([routed, of_groups[..., self.experts :].repeat_interleave(self.shared, -1)], -1)


def groups_of(config: Any) -> Groups | None:
    """Return the experts of each layer, as a model's configuration states them, or None; raises as `family_of`."""
    family, text = family_of(config), config.get_text_config()
    if not family.experts:
        return None
    shared = getattr(text, family.shared_width) if family.shared_width else 0
    return Groups(text.num_experts, getattr(text, family.expert_width), shared)


def positions(config: Any) -> int | None:
    """Return the number of positions that a model's configuration provides for, or None if it has no limit."""
    return getattr(config.get_text_config(), "max_position_embeddings", None)


def neurons_per_layer(config: Any) -> int:
    """Return the number of neurons of each layer, as a model's configuration states it; raises as `family_of`."""
    groups = groups_of(config)
    if groups is not None:
        return groups.neurons
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


def scaled_logits(config: Any, logits: "Tensor") -> "Tensor":
    """Return what a model makes of its output layer's values before any soft-cap; raises as `family_of`."""
    family = family_of(config)
    if family.logit_factor:
        logits = logits * getattr(config, family.logit_factor)
    if family.logit_divisor:
        logits = logits / getattr(config, family.logit_divisor)
    return logits
