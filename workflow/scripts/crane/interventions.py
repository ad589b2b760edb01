"""Masking of neurons in a Hugging Face model at no run-time cost."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from crane.architectures import mlps, write_weights
from crane.neurons import NeuronSet


@contextmanager
def masked(model: Any, neurons: NeuronSet, language: str, *, scale: float = 0.0) -> Iterator[Any]:
    """Multiply the outputs of one language's neurons by `scale` (0 masks them) while the context lasts.

    What a neuron writes is its column of the down projection, so scaling the columns in place is exact
    (method, section 6). The saved columns are put back bit by bit, also after an error.

    Raises:
        KeyError: the set has no mask for the language.
        ValueError: the set was made for another number of layers, or a neuron is outside the model.
    """
    layers = mlps(model)
    if neurons.layers != len(layers):
        raise ValueError(f"mask {language!r}: made for {neurons.layers} layers, the model has {len(layers)}")
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
    try:
        with torch.no_grad():
            for weights, index in targets:
                rows = weights.data
                saved.append((rows, index, rows[index].clone()))
                rows[index] = rows[index] * scale
        yield model
    finally:
        with torch.no_grad():
            for rows, index, original in reversed(saved):
                rows[index] = original
