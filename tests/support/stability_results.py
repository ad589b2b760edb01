"""Two mask sets, one of them random, and what was measured of their stability."""

import numpy as np
import pandas as pd
from crane.neurons.neuron_set import NeuronSet
from crane.results.labels import Labels
from crane.selection.random_like import random_like

WIDTH, LAYERS = 64, 2
LANGUAGES = {"en": "English", "zh": "Chinese"}
LABELS = Labels(LANGUAGES, {"crane": "CRANE", "random": "Random"})
GROUPS = {"crane": "crane", "random-0": "random", "random-1": "random"}


def masks() -> dict[str, NeuronSet]:
    """Return a mask set of a fifth of all neurons, and two random ones like it."""
    rng = np.random.default_rng(1)
    crane = NeuronSet.from_flags(rng.random((2, LAYERS, WIDTH)) < 0.2, list(LANGUAGES))
    return {
        "crane": crane,
        "random-0": random_like(crane, WIDTH, 0),
        "random-1": random_like(crane, WIDTH, 1),
    }


def measured() -> pd.DataFrame:
    """Return the stability of the mask sets as it is measured where there are no halves."""
    rows = [(name, GROUPS[name], code, 8, 4, 0.5, 0.1) for name in GROUPS for code in LANGUAGES]
    columns = [
        "mask_set",
        "label",
        "mask_language",
        "neurons",
        "outliers",
        "outlier_share",
        "outlier_share_all",
    ]
    return pd.DataFrame(rows, columns=columns)
