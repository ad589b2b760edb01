"""Interventions on neurons of a Hugging Face model: scaling at no run-time cost, or a fixed value."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch

from crane.models.architectures import MLP, Site, mlps, write_weights
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
            activation (`crane.neurons.mean_values`).

    Raises:
        KeyError: the set has no mask for the language.
        ValueError: the set was made for a different number of layers, a neuron is outside the model, or `values` has
            the wrong shape.
    """
    layers = mlps(model)
    if neurons.layers != len(layers):
        raise ValueError(f"mask {language!r}: made for {neurons.layers} layers, the model has {len(layers)}")
    if values is not None:
        width = write_weights(layers[0].down, neurons.site)[0].shape[0]
        if values.shape != (len(layers), width):
            raise ValueError(f"values of shape {values.shape}; the model has {len(layers)} x {width} neurons")
    saved: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    targets = []
    for layer, indices in neurons[language].items():
        for weights in write_weights(layers[layer].down, neurons.site):
            if len(indices) and not 0 <= indices.min() <= indices.max() < weights.shape[0]:
                raise ValueError(
                    f"mask {language!r}, layer {layer}: neuron {int(indices.max())} does not exist, "
                    f"the model has {weights.shape[0]} per layer at site {neurons.site!r}"
                )
            targets.append((weights, torch.as_tensor(indices, device=weights.device)))
    handles = []
    try:
        if values is not None:
            for layer, indices in neurons[language].items():
                handles.append(_fixed(layers[layer], neurons.site, indices, values[layer, indices]))
            targets = []
        with torch.no_grad():
            for weights, index in targets:
                rows = weights.data
                saved.append((rows, index, rows[index].clone()))
                rows[index] = rows[index] * scale
        yield model
    finally:
        for handle in handles:
            handle.remove()
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


def _fixed(mlp: MLP, site: Site, indices: np.ndarray, values: np.ndarray) -> Any:
    """Hook one MLP so that its neurons have fixed values; return the hook's handle."""
    index, fixed = torch.as_tensor(indices), torch.as_tensor(values)
    if site == "intermediate":
        return mlp.down.register_forward_pre_hook(partial(_on_input, index, fixed))
    return mlp.down.register_forward_hook(partial(_on_output, index, fixed))
