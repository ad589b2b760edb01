"""Where the neurons, norms and projections of a loaded model are, by the module names of its family.

A neuron (method: site `intermediate`) is one coordinate of the input of the MLP's second linear layer; in a
gated MLP that is act(gate) * up. At site `residual_write` it is one coordinate of that layer's output.

In a layer with experts, neuron i of expert e has the number e * I + i; those of a shared expert follow.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from crane.models.families import (
    Family,
    Groups,
    NormKind,
    UnsupportedModelError,
    attention_cap,
    family_of,
    groups_of,
)

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

    def at_site(self, site: Site, see: Callable[[Tensor], Tensor | None]) -> Any:
        """Call a function with the neurons' values in every pass; return the hook's handle.

        Args:
            site: where the neurons are.
            see: gets `[B, T, I]`, or `[B * T, I]` of OPT; what it returns, if anything, takes their place.
        """
        if site == "intermediate":
            return self.down.register_forward_pre_hook(partial(_on_input, see))
        return self.down.register_forward_hook(lambda module, inputs, output: see(output))


def _on_input(
    see: Callable[[Tensor], Tensor | None], module: nn.Module, inputs: tuple[Tensor, ...]
) -> tuple[Tensor, ...] | None:
    values = see(inputs[0])
    return None if values is None else (values, *inputs[1:])


class Experts(NamedTuple):
    """The experts of one decoder layer to which its tokens are routed."""

    module: nn.Module
    """Holds the weights of all of them; called with hidden states, chosen experts and their weights."""
    groups: Groups
    shared_gate: nn.Module | None
    """The linear layer whose sigmoid scales the shared expert's output."""

    def written(self) -> Tensor:
        """Return a view `[E, I, H]` of the second linear layers: (e, i) is everything that neuron i of e writes."""
        weight = _matrices(self.module.down_proj, type(self.module).__name__, 3)
        return weight if self.module.is_transposed else weight.transpose(1, 2)


class Block(NamedTuple):
    """What holds the neurons of one decoder layer: an MLP, experts, or experts and an MLP that they share."""

    layer: nn.Module
    module: nn.Module
    """What reads the block's input."""
    mlp: MLP | None
    experts: Experts | None

    @property
    def mlp_neurons(self) -> slice:
        """Return which of the layer's neurons are those of `mlp`."""
        return slice(self.experts.groups.routed if self.experts else 0, None)

    def width(self, site: Site) -> int:
        """Return the number of neurons at a site.

        Raises:
            UnsupportedModelError: `residual_write` in a layer with experts, whose outputs are summed.
            ValueError: an unknown site.
        """
        routed = 0
        if self.experts is not None:
            if site == "residual_write":
                raise UnsupportedModelError(
                    "site residual_write: the outputs of experts are summed, so that no neuron there belongs to one; "
                    "set relevance.site: intermediate"
                )
            routed = self.experts.groups.routed
        return routed + (write_weights(self.mlp.down, site)[0].shape[0] if self.mlp is not None else 0)

    def written(self, site: Site, neurons: Tensor) -> list[tuple[Tensor, tuple[Tensor, ...]]]:
        """Return everything that some neurons write: views of parameters, and what indexes the neurons' rows in them.

        Args:
            site: where the neurons are.
            neurons: int64 `[n]`, their numbers.
        """
        found: list[tuple[Tensor, tuple[Tensor, ...]]] = []
        own = neurons
        if self.experts is not None:
            groups = self.experts.groups
            routed, own = neurons[neurons < groups.routed], neurons[neurons >= groups.routed] - groups.routed
            rows = self.experts.written()
            expert = routed.div(groups.width, rounding_mode="floor")
            found.append((rows, (expert.to(rows.device), (routed % groups.width).to(rows.device))))
        if self.mlp is not None:
            found += [(rows, (own.to(rows.device),)) for rows in write_weights(self.mlp.down, site)]
        return found


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


def blocks(model: Any) -> list[Block]:
    """Return what holds the neurons of a Hugging Face causal language model in layer order (K entries).

    Raises:
        UnsupportedModelError: the family is not in `FAMILIES`, or the loaded attention does not apply its soft-cap.
    """
    family, groups = family_of(model.config), groups_of(model.config)
    attention = model.config._attn_implementation
    if attention_cap(model.config) is not None and attention != "eager":
        raise UnsupportedModelError(
            f"{attention!r} attention does not soft-cap the scores of {model.config.model_type!r}, so that it computes "
            "another model; load it with attn_implementation='eager'"
        )
    found = []
    for layer in _layers(model):
        module = getattr(layer, family.mlp) if family.mlp else layer
        experts = None
        if groups is not None:
            gate = getattr(module, family.shared_gate) if family.shared_gate else None
            experts = Experts(getattr(module, "experts"), groups, gate)  # noqa: B009 - for mypy it is a tensor
        mlp = module if experts is None else getattr(module, family.shared) if family.shared else None
        found.append(Block(layer, module, _mlp(layer, mlp, family) if mlp is not None else None, experts))
    if not family.mlp:
        return [block._replace(module=block.mlp.module) for block in found if block.mlp is not None]
    return found


def _mlp(layer: nn.Module, mlp: nn.Module, family: Family) -> MLP:
    return MLP(
        layer=layer,
        module=mlp if family.mlp else getattr(mlp, family.up),
        down=getattr(mlp, family.down),
        activation=getattr(mlp, family.activation),
        gate=getattr(mlp, family.gate) if family.gate else None,
        up=getattr(mlp, family.up),
        fused=family.fused,
    )


def mlps(model: Any) -> list[MLP]:
    """Return the MLPs of a model in layer order; with experts, those that all tokens share. Raises as `blocks`."""
    return [block.mlp for block in blocks(model) if block.mlp is not None]


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


def _matrices(weight: Any, kind: str, dimensions: int) -> Tensor:
    if not isinstance(weight, nn.Parameter) or not weight.is_floating_point() or weight.ndim != dimensions:
        raise UnsupportedModelError(
            f"the weight of {kind} is not a plain floating-point matrix (quantised?); "
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

    weight = _matrices(getattr(down, "weight", None), type(down).__name__, 2)
    per_input = weight if isinstance(down, Conv1D) else weight.T  # [I, H], the layout of GPT-2's Conv1D
    if site == "intermediate":
        return [per_input]
    if site != "residual_write":
        raise ValueError(f"unknown site {site!r}; known: {', '.join(SITES)}")
    bias: Tensor | None = getattr(down, "bias", None)
    return [per_input.T] + ([bias.unsqueeze(1)] if bias is not None else [])


def width(model: Any, site: Site = "intermediate") -> int:
    """Return the number of neurons per layer at a site (the same in all layers)."""
    widths = {block.width(site) for block in blocks(model)}
    if len(widths) != 1:
        raise UnsupportedModelError(f"layers of different width: {sorted(widths)}")
    return widths.pop()


def shape(model: Any, site: Site = "intermediate") -> torch.Size:
    """Return `[K, I]`: layers and neurons per layer."""
    return torch.Size([len(blocks(model)), width(model, site)])
