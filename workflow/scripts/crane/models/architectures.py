"""Where the MLP neurons of each model family are; no other module knows module names.

A neuron (method: site `intermediate`) is one coordinate of the input of the MLP's second linear layer; in a
gated MLP that is act(gate) * up. At site `residual_write` it is one coordinate of that layer's output.
"""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from crane.errors import CraneError

Site = Literal["intermediate", "residual_write"]
SITES: tuple[Site, ...] = ("intermediate", "residual_write")


class Family(NamedTuple):
    """Module names inside one decoder layer of a model family."""

    mlp: str
    down: str
    """The MLP's second linear layer."""
    activation: str
    """The module whose positive output LAPE counts."""
    gate: str | None
    """The gate projection, or None for an MLP without a gate."""
    up: str
    text: str | None = None
    """Attribute of the text decoder within a multimodal base model."""
    attention_cap: str | None = None
    """Configuration key of the cap c, if attention scores s are soft-capped to c tanh(s / c)."""
    logit_cap: str | None = None
    """Configuration key of the logits' soft-cap."""


_GATED = Family(mlp="mlp", down="down_proj", activation="act_fn", gate="gate_proj", up="up_proj")
FAMILIES: dict[str, Family] = {
    "llama": _GATED,
    "mistral": _GATED,
    "qwen2": _GATED,
    "qwen3": _GATED,
    "gemma": _GATED,
    "gemma2": _GATED._replace(attention_cap="attn_logit_softcapping", logit_cap="final_logit_softcapping"),
    # transformers applies Gemma 3's caps (null in the published models) to the logits of the text model alone.
    "gemma3_text": _GATED._replace(logit_cap="final_logit_softcapping"),
    "gemma3": _GATED._replace(text="language_model"),
    "gpt2": Family(mlp="mlp", down="c_proj", activation="act", gate=None, up="c_fc"),
}
_LAYER_LISTS = ("layers", "h")


class UnsupportedModelError(CraneError, ValueError):
    """The model family is unknown or its weights cannot be masked."""


class MLP(NamedTuple):
    """The MLP of one decoder layer."""

    layer: nn.Module
    """The decoder layer it belongs to."""
    module: nn.Module
    down: nn.Module
    activation: nn.Module
    gate: nn.Module | None
    up: nn.Module


def family_of(config: Any) -> Family:
    """Return the family of a model's configuration.

    Raises:
        UnsupportedModelError: it is not in `FAMILIES`.
    """
    kind = config.model_type
    if kind not in FAMILIES:
        raise UnsupportedModelError(
            f"model type {kind!r} is not supported; supported: {', '.join(sorted(FAMILIES))}"
        )
    return FAMILIES[kind]


def attention_cap(config: Any) -> float | None:
    """Return the soft-cap c of a model's attention scores (s becomes c tanh(s / c)), or None; raises as `family_of`."""
    name = family_of(config).attention_cap
    return getattr(config, name) if name else None


def logit_cap(config: Any) -> float | None:
    """Return the soft-cap of a model's logits, or None; raises as `family_of`."""
    name = family_of(config).logit_cap
    return getattr(config, name) if name else None


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
    decoder = model.base_model
    if family.text is not None:
        decoder = getattr(decoder, family.text)
    layers = next(getattr(decoder, name) for name in _LAYER_LISTS if hasattr(decoder, name))
    blocks = []
    for layer in layers:
        mlp = getattr(layer, family.mlp)
        blocks.append(
            MLP(
                layer=layer,
                module=mlp,
                down=getattr(mlp, family.down),
                activation=getattr(mlp, family.activation),
                gate=getattr(mlp, family.gate) if family.gate else None,
                up=getattr(mlp, family.up),
            )
        )
    return blocks


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
