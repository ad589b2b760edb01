"""Interventions on neurons of a Hugging Face model: scaling at no run-time cost, or values that replace their own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch

from crane.models.architectures import blocks
from crane.neurons.changes import Step, changed, composed
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
            targets = []
            if values.ndim == 2:
                fixed = composed("value", [Step(neurons[language], 0.0, values)])
                undo.enter_context(changed(model, fixed, neurons.site))
            else:
                positions, handle = positions_of(model)
                undo.callback(handle.remove)
                for layer, indices in neurons[language].items():
                    replacing = _Values(indices, values[:, layer, indices], positions)
                    mlp = layers[layer].mlp
                    assert mlp is not None  # without experts
                    undo.callback(mlp.at_site(neurons.site, replacing.put).remove)
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
    """The values of some neurons of one layer by position, `[P, n]`."""

    def __init__(self, indices: np.ndarray, values: np.ndarray, positions: Positions) -> None:
        self._index = torch.as_tensor(indices)
        self._values = torch.as_tensor(values)
        self._positions = positions

    def put(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return `[B, T, I]`, or `[B * T, I]` of OPT, with the neurons at these values."""
        self._index, self._values = self._index.to(tensor.device), self._values.to(tensor)
        values = self._values[self._positions.rows(len(self._values)).to(tensor.device)].flatten(0, 1)
        return tensor.index_copy(-1, self._index, values.view(*tensor.shape[:-1], -1))
