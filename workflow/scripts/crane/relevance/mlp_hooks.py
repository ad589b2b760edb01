"""Hooks on the MLP of one layer: the relevance of its neurons, and how often each of them is active."""

from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from crane.models.architectures import MLP, Site
from crane.relevance.accumulators import Accumulators
from crane.relevance.aggregates import AGGREGATES, Aggregate
from crane.relevance.passage import Passage


class Counters(Protocol):
    """What the hooks read and add to: an attribution."""

    passage: Passage | None
    site: Site
    aggregate: Aggregate
    active: Tensor
    value_sum: Tensor
    further: Accumulators | None


def mlp_hooks(attribute: Counters, layer: int, mlp: MLP, part: slice) -> list[Any]:
    """Let an attribution see the MLP of a layer; return the hooks' handles.

    Args:
        attribute: the attribution.
        layer: its number.
        mlp: the MLP.
        part: the place of its neurons among the layer's.
    """
    handles = [
        mlp.activation.register_forward_hook(partial(_count, attribute, layer, part)),
        mlp.at_site(attribute.site, partial(_watch, attribute, layer, part)),
    ]
    if attribute.further and "up" in attribute.further.names:
        handles.append(mlp.up.register_forward_hook(partial(_add_up, attribute, layer, mlp.fused)))
    return handles


def start_graph(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Start the graph at a module's input, if nothing before it has a gradient: a forward pre-hook."""
    if torch.is_grad_enabled() and not inputs[0].requires_grad:
        inputs[0].requires_grad_()


def _watch(attribute: Counters, layer: int, part: slice, values: Tensor) -> None:
    """Reduce relevance at `values` `[B, T, I]` or `[B * T, I]` over the tokens as soon as its gradient exists."""
    # Below the neurons of the first MLP nothing is asked for, so the graph starts at them.
    if attribute.passage is not None and torch.is_grad_enabled() and not values.requires_grad:
        values.requires_grad_()
    # A hook that holds `values` itself would form a reference cycle that is never freed.
    activation = values.detach()

    def reduce(gradient: Tensor) -> None:
        passage, further = attribute.passage, attribute.further
        assert passage is not None
        # OPT's layers flatten samples and tokens.
        gradient = gradient.reshape(*passage.real.shape, -1)
        kept = activation.reshape(gradient.shape)
        if not passage.all_counted:
            kept = kept * passage.counted.unsqueeze(2)
        total = kept.sum((0, 1), dtype=torch.float32)
        attribute.value_sum[layer, part] += total
        # In float32, to which a GPU casts within this one pass.
        product = torch.addcmul(total.new_zeros(1, 1, 1), kept, gradient)
        if further:
            further.on_values(layer, kept.float(), total, passage)
            further.on_gradient(layer, gradient.float(), product, passage)
        passage.keep(layer, part, AGGREGATES[attribute.aggregate](product, passage.counted))

    if values.requires_grad:
        values.register_hook(reduce)


def _count(
    attribute: Counters, layer: int, part: slice, module: nn.Module, inputs: Any, output: Tensor
) -> None:
    """Count the tokens with a positive activation."""
    passage = attribute.passage
    if passage is None:
        return
    gate = output.detach().reshape(*passage.real.shape, -1)
    if attribute.further:
        attribute.further.on_gate(layer, gate, passage)
    # Ones of the same dtype, because a CPU makes and adds booleans five times as slowly; sums of float32 are exact up
    # to 2^24 tokens.
    positive = torch.gt(gate, 0, out=torch.empty_like(gate))
    if not passage.all_real:
        positive *= passage.real.unsqueeze(2)
    attribute.active[layer, part] += positive.sum((0, 1), dtype=torch.float32).long()


def _add_up(
    attribute: Counters, layer: int, fused: bool, module: nn.Module, inputs: Any, output: Tensor
) -> None:
    """Add the output of the up projection to the accumulators."""
    if attribute.passage is not None and attribute.further:
        up = output.detach().reshape(*attribute.passage.real.shape, -1)
        attribute.further.on_up(layer, up.chunk(2, -1)[1] if fused else up, attribute.passage)
