"""Statistics of few neurons, and neuron sets as flags."""

import numpy as np

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
