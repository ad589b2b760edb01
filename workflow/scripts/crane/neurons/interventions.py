"""Interventions on neurons of a Hugging Face model: scaling at no run-time cost, or values that replace their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch

from crane.models.architectures import MLP, Site, mlps, write_weights
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
            token of a text: at P and beyond the second and the following ones again (`crane.neurons.donor_values`).

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
        if values.shape[-2:] != (len(layers), width) or values.ndim not in (2, 3):
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
            positions = None
            if values.ndim == 3:
                positions, handle = positions_of(model)
                handles.append(handle)
            for layer, indices in neurons[language].items():
                own = values[..., layer, indices]
                handles.append(_replaced(layers[layer], neurons.site, indices, own, positions))
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


def _on_input(values: _Values, module: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return (values.put(inputs[0]), *inputs[1:])


def _on_output(values: _Values, module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    return values.put(output)


def _replaced(
    mlp: MLP, site: Site, indices: np.ndarray, values: np.ndarray, positions: Positions | None
) -> Any:
    """Hook one MLP so that its neurons have other values; return the hook's handle."""
    own = _Values(indices, values, positions)
    if site == "intermediate":
        return mlp.down.register_forward_pre_hook(partial(_on_input, own))
    return mlp.down.register_forward_hook(partial(_on_output, own))
