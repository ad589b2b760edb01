"""Where the neurons, norms and projections of a loaded model are, by the module names of its family.

A neuron (method: site `intermediate`) is one coordinate of the input of the MLP's second linear layer; in a
gated MLP that is act(gate) * up. At site `residual_write` it is one coordinate of that layer's output.
"""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from crane.models.families import NormKind, UnsupportedModelError, attention_cap, family_of

Site = Literal["intermediate", "residual_write"]
SITES: tuple[Site, ...] = ("intermediate", "residual_write")
_LAYER_LISTS = ("layers", "h")


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
