"""Random neurons with the layer counts of another mask set: the null of a selection."""

import numpy as np

from crane.neurons.neuron_set import NeuronSet
from crane.selection.ranking import SelectionError


def random_like(neurons: NeuronSet, width: int, seed: int) -> NeuronSet:
    """Draw a random set with the same number of neurons per language, layer and site.

    Args:
        neurons: the set to match.
        width: neurons per layer of the model.
        seed: seed of this draw; languages are drawn independently of each other and of their order.
    """
    drawn: dict[str, dict[int, np.ndarray]] = {}
    for language, by_layer in neurons.items():
        generator = np.random.default_rng([seed, *language.encode()])
        drawn[language] = {}
        for layer, indices in sorted(by_layer.items()):
            if len(indices) > width:
                raise SelectionError(f"layer {layer}: {len(indices)} of {width} neurons cannot be drawn")
            choice = generator.choice(width, size=len(indices), replace=False)
            drawn[language][layer] = np.sort(choice).astype(np.int64)
    return NeuronSet(drawn, layers=neurons.layers, site=neurons.site)
