"""Interventions on neurons of a Hugging Face model: scaling at no run-time cost, or a fixed value."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch

from crane.models.architectures import MLP, Block, Experts, Site, blocks
from crane.models.experts import Gate, gate_of, open_gates
from crane.neurons.neuron_set import NeuronSet


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
            activation (`crane.neurons.mean_values`); a neuron of an expert takes it at every token routed to it.

    Raises:
        KeyError: the set has no mask for the language.
        ValueError: the set was made for a different number of layers, a neuron is outside the model, or `values` has
            the wrong shape.
    """
    layers = blocks(model)
    if neurons.layers != len(layers):
        raise ValueError(f"mask {language!r}: made for {neurons.layers} layers, the model has {len(layers)}")
    width = layers[0].width(neurons.site)
    if values is not None and values.shape != (len(layers), width):
        raise ValueError(f"values of shape {values.shape}; the model has {len(layers)} x {width} neurons")
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
            undo.enter_context(open_gates(model))
            for layer, indices in neurons[language].items():
                for handle in _fixed(layers[layer], neurons.site, indices, values[layer, indices]):
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


def _set(tensor: torch.Tensor, index: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return tensor.index_copy(
        -1, index.to(tensor.device), values.to(tensor).expand(*tensor.shape[:-1], len(index))
    )


def _on_input(
    index: Any, values: Any, module: Any, inputs: tuple[torch.Tensor, ...]
) -> tuple[torch.Tensor, ...]:
    return (_set(inputs[0], index, values), *inputs[1:])


def _on_output(index: Any, values: Any, module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    return _set(output, index, values)


def _fixed(block: Block, site: Site, indices: np.ndarray, values: np.ndarray) -> list[Any]:
    """Hook one layer so that some of its neurons have fixed values; return the hooks' handles."""
    index, fixed = torch.as_tensor(indices), torch.as_tensor(values)
    handles = []
    first = block.mlp_neurons.start
    if block.experts is not None and (index < first).any():
        handles.append(_fixed_in_experts(block.experts, index[index < first], fixed[index < first]))
    if block.mlp is not None:
        handles.append(_fixed_in_mlp(block.mlp, site, index[index >= first] - first, fixed[index >= first]))
    return handles


def _fixed_in_mlp(mlp: MLP, site: Site, index: torch.Tensor, fixed: torch.Tensor) -> Any:
    if site == "intermediate":
        return mlp.down.register_forward_pre_hook(partial(_on_input, index, fixed))
    return mlp.down.register_forward_hook(partial(_on_output, index, fixed))


def _fixed_in_experts(experts: Experts, index: torch.Tensor, fixed: torch.Tensor) -> Any:
    groups, weight = experts.groups, experts.written()
    values = torch.zeros(groups.routed, dtype=weight.dtype)
    values[index] = fixed.to(weight.dtype)
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
