"""Interventions on neurons of a Hugging Face model: scaling at no run-time cost, or values that replace their own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch

from crane.models.architectures import Block, Experts, Site, blocks
from crane.models.experts import Gate, gate_of, open_gates
from crane.neurons.neuron_set import NeuronSet
from crane.neurons.positions import Positions, positions_of


@contextmanager
def masked(
    model: Any,
    neurons: NeuronSet,
    language: str,
    *,
    scale: float = 0.0,
    values: np.ndarray | None = None,
) -> Iterator[Any]:
    """Multiply the outputs of one language's neurons by `scale` (0 masks them), or fix them, within the context.

    A neuron writes through its column of the down projection, so scaling the columns in place is exact (method,
    section 6). The original columns are restored bit by bit on exit, also after an error.

    Args:
        model: a Hugging Face causal language model.
        neurons: the mask set.
        language: the language whose neurons are changed.
        scale: factor; 0 masks, below 1 dampens, above 1 amplifies.
        values: instead of `scale`: `[K, I]`, the value that each neuron takes at every token, for example its mean
            activation (`crane.neurons.mean_values`); or `[P, K, I]`, the value at each position, counted from the first
            token of a text: at P and beyond the second and the following ones again (`crane.neurons.donor_values`). A
            neuron of an expert takes its value at every token routed to it, and has none by position.

    Raises:
        KeyError: the set has no mask for the language.
        ValueError: the set was made for a different number of layers, a neuron is outside the model, or `values` has
            the wrong shape.
    """
    layers = blocks(model)
    if neurons.layers != len(layers):
        raise ValueError(f"mask {language!r}: made for {neurons.layers} layers, the model has {len(layers)}")
    width = layers[0].width(neurons.site)
    if values is not None and (values.shape[-2:] != (len(layers), width) or values.ndim not in (2, 3)):
        raise ValueError(f"values of shape {values.shape}; the model has {len(layers)} x {width} neurons")
    if values is not None and values.ndim == 3 and layers[0].experts is not None:
        raise ValueError(
            "neurons of experts have no values by position: a token of another text takes other experts"
        )
    saved: list[tuple[torch.Tensor, tuple[torch.Tensor, ...], torch.Tensor]] = []
    targets = []
    for layer, indices in neurons[language].items():
        if len(indices) and not 0 <= indices.min() <= indices.max() < width:
            raise ValueError(
                f"mask {language!r}, layer {layer}: neuron {int(indices.max())} does not exist, "
                f"the model has {width} per layer at site {neurons.site!r}"
            )
        targets += layers[layer].written(neurons.site, torch.as_tensor(indices))
    undo = ExitStack()
    try:
        if values is not None:
            positions = None
            if values.ndim == 3:
                positions, handle = positions_of(model)
                undo.callback(handle.remove)
            undo.enter_context(open_gates(model))
            for layer, indices in neurons[language].items():
                own = values[..., layer, indices]
                for handle in _replaced(layers[layer], neurons.site, indices, own, positions):
                    undo.callback(handle.remove)
            targets = []
        with torch.no_grad():
            for weights, index in targets:
                rows = weights.data
                saved.append((rows, index, rows[index].clone()))
                rows[index] = rows[index] * scale
        yield model
    finally:
        undo.close()
        with torch.no_grad():
            for rows, index, original in reversed(saved):
                rows[index] = original


class _Values:
    """The values of some neurons of one layer: `[n]` at every token, or `[P, n]` by position."""

    def __init__(self, indices: np.ndarray, values: np.ndarray, positions: Positions | None) -> None:
        self._index = torch.as_tensor(indices)
        self._values = torch.as_tensor(values)
        self._positions = positions

    def put(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return `[B, T, I]`, or `[B * T, I]` of OPT, with the neurons at these values."""
        self._index, self._values = self._index.to(tensor.device), self._values.to(tensor)
        values = self._values
        if self._positions is not None:
            values = values[self._positions.rows(len(values)).to(tensor.device)].flatten(0, 1)
            values = values.view(*tensor.shape[:-1], -1)
        return tensor.index_copy(-1, self._index, values.expand(*tensor.shape[:-1], len(self._index)))


def _replaced(
    block: Block, site: Site, indices: np.ndarray, values: np.ndarray, positions: Positions | None
) -> list[Any]:
    """Hook one layer so that some of its neurons have other values; return the hooks' handles."""
    handles = []
    first = block.mlp_neurons.start
    if block.experts is not None and (indices < first).any():
        routed = indices < first
        handles.append(_replaced_in_experts(block.experts, indices[routed], values[routed]))
    if block.mlp is not None:
        own = indices >= first
        replacing = _Values(indices[own] - first, values[..., own], positions)
        handles.append(block.mlp.at_site(site, replacing.put))
    return handles


def _replaced_in_experts(experts: Experts, indices: np.ndarray, fixed: np.ndarray) -> Any:
    groups, weight = experts.groups, experts.written()
    index = torch.as_tensor(indices)
    values = torch.zeros(groups.routed, dtype=weight.dtype)
    values[index] = torch.as_tensor(fixed).to(weight.dtype)
    chosen = torch.zeros(groups.routed, dtype=torch.bool)
    chosen[index] = True
    shape = groups.experts, groups.width
    hook = partial(_on_neurons, chosen.view(shape).to(weight.device), values.view(shape).to(weight.device))
    return gate_of(experts).register_forward_hook(hook)


def _on_neurons(
    chosen: torch.Tensor, values: torch.Tensor, gate: Any, inputs: Any, neurons: torch.Tensor
) -> torch.Tensor:
    assert isinstance(gate, Gate)
    expert = gate.routing.expert
    return torch.where(chosen[expert], values[expert], neurons)
