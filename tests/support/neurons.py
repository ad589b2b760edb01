"""Statistics of few neurons, and neuron sets: random ones, and as flags or keys."""

import numpy as np
from crane.neurons.neuron_set import NeuronSet

LANGUAGES = ["en", "zh", "vi"]


def values(seed=0, undefined=True):
    """Return kurtosis-like values `[3, 4, 30]`, some of them undefined."""
    rng = np.random.default_rng(seed)
    x = rng.gamma(2.0, size=(3, 4, 30)) * rng.uniform(1, 50, size=(3, 4, 1))
    if undefined:
        x[rng.random(x.shape) < 0.05] = np.nan
    return x


def flags(neurons, shape):
    """Return a neuron set as bool `[L, K, I]`."""
    found = np.zeros(shape, bool)
    for row, language in enumerate(neurons):
        for k, indices in neurons[language].items():
            found[row, k, indices] = True
    return found


def some_set(seed=0, share=0.3, site="intermediate"):
    """Return a random set with scores, with a layer and a language without neurons."""
    rng = np.random.default_rng(seed)
    chosen = rng.random((3, 4, 20)) < share
    chosen[:, 2] = False
    chosen[2] = False
    return NeuronSet.from_flags(chosen, LANGUAGES, site, scores=rng.normal(size=(3, 4, 20)))


def keys(neurons, language):
    """Return the (layer, neuron) pairs of a language."""
    return {(k, i) for k, indices in neurons[language].items() for i in indices.tolist()}
