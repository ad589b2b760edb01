"""Hooks on the routed experts of one layer: the relevance of their neurons, and how often each expert is used."""

from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from crane.models.architectures import Experts
from crane.models.experts import Gate, gate_of
from crane.relevance.aggregates import Aggregate, routed
from crane.relevance.passage import Passage
from crane.relevance.routing import Routed


class Counters(Protocol):
    """What the hooks read and add to: an attribution."""

    passage: Passage | None
    aggregate: Aggregate
    active: Tensor
    value_sum: Tensor
    routed: Routed | None


def expert_hooks(attribute: Counters, layer: int, experts: Experts) -> list[Any]:
    """Let an attribution see the experts of a layer, whose gates are open; return the hooks' handles."""
    gate = gate_of(experts)
    return [
        gate.register_forward_pre_hook(partial(_count, attribute, layer, experts)),
        gate.register_forward_hook(partial(_watch, attribute, layer, experts)),
    ]


def _of_rows(mask: Tensor, gate: Gate) -> Tensor:
    """Return bool `[S]` of the tokens of rows, from bool `[B, T]`."""
    return mask.flatten()[gate.routing.token]


def _cells(passage: Passage, gate: Gate, experts: int) -> Tensor:
    """Return int64 `[S]`: sample * E + expert of each row."""
    sample = gate.routing.token.div(passage.real.shape[1], rounding_mode="floor")
    return sample * experts + gate.routing.expert


def _count(
    attribute: Counters, layer: int, experts: Experts, gate: nn.Module, inputs: tuple[Tensor, ...]
) -> None:
    """Count tokens, and those with a positive activation: of the gate, as the activations are positive where it is."""
    passage = attribute.passage
    if passage is None:
        return
    assert isinstance(gate, Gate) and attribute.routed is not None
    groups, device = experts.groups, inputs[0].device
    expert = gate.routing.expert
    positive = gate.split(inputs[0].detach())[0] > 0
    counts = torch.zeros(groups.number, dtype=torch.int64, device=device)
    real = _of_rows(passage.real, gate)
    counts.index_add_(0, expert, real.long())
    if not passage.all_real:
        positive &= real.unsqueeze(1)
    active = torch.zeros(groups.experts, groups.width, dtype=torch.int32, device=device)
    active.index_add_(0, expert, positive.int())
    attribute.active[layer, : groups.routed] += active.flatten()
    samples = len(passage.real)
    seen = torch.zeros(samples * groups.experts, dtype=torch.int64, device=device)
    seen.index_add_(0, _cells(passage, gate, groups.experts), _of_rows(passage.counted, gate).long())
    seen = seen.view(samples, groups.experts)
    if groups.shared:
        counts[-1] = passage.tokens
        seen = torch.cat([seen, passage.counted.sum(1, keepdim=True)], 1)
    attribute.routed.tokens[layer] += counts
    passage.routed[layer] = seen


def _watch(
    attribute: Counters,
    layer: int,
    experts: Experts,
    gate: nn.Module,
    inputs: tuple[Tensor, ...],
    neurons: Tensor,
) -> None:
    """Reduce relevance at the neurons `[S, I]` over the tokens as soon as its gradient exists."""
    if not neurons.requires_grad or attribute.passage is None:
        return
    assert isinstance(gate, Gate)
    # By then the experts have perhaps run for another batch.
    expert, counted = gate.routing.expert, _of_rows(attribute.passage.counted, gate)
    cell = _cells(attribute.passage, gate, experts.groups.experts)
    activation = neurons.detach()

    def reduce(gradient: Tensor) -> None:
        passage, groups = attribute.passage, experts.groups
        assert passage is not None
        kept = activation.float()
        if not passage.all_counted:
            kept = kept * counted.unsqueeze(1)
        sums = kept.new_zeros(groups.experts, groups.width).index_add_(0, expert, kept)
        attribute.value_sum[layer, : groups.routed] += sums.flatten()
        product = kept * gradient.float()
        cells = len(passage.real) * groups.experts
        found = routed(attribute.aggregate, product, cell, cells, passage.counted)
        passage.keep(layer, slice(groups.routed), found.view(len(passage.real), groups.routed))

    neurons.register_hook(reduce)
