"""Which neurons the explorer shows in full: the first of each mask set and language."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from crane.neurons.neuron_set import NeuronSet
from crane.results.labels import ResultsError


def shown_neurons(masks: Mapping[str, NeuronSet], most: int) -> pd.DataFrame:
    """Return a row per mask set, language and shown neuron: mask_set, language, place, layer, neuron, score.

    Neurons come by the score of their selection, the highest first, and of equal ones by layer and number. Where a
    selection ranks none (random neurons, LAPE's published lists) the shown ones are spread evenly over the set, so that
    all layers are there, and `place` is 0.

    Args:
        masks: mask set -> its neurons.
        most: neurons per mask set and language.

    Raises:
        ResultsError: there is no mask set.
    """
    if not masks:
        raise ResultsError("no mask set of the study selects neurons, so there is nothing to explore")
    frames = []
    for name, neurons in masks.items():
        table = neurons.to_frame().sort_values(["language", "layer", "neuron"])
        for language in neurons:
            own = table[table["language"] == language]
            if own["score"].isna().any():
                spread = np.unique(np.linspace(0, len(own) - 1, min(most, len(own))).round().astype(int))
                first, places = own.iloc[spread], np.zeros(len(spread), int)
            else:
                first = own.sort_values("score", ascending=False, kind="stable").head(most)
                places = np.arange(1, len(first) + 1)
            frames.append(first.assign(mask_set=name, place=places))
    columns = ["mask_set", "language", "place", "layer", "neuron", "score"]
    return pd.concat(frames, ignore_index=True)[columns]


def distinct(shown: pd.DataFrame) -> list[tuple[int, int]]:
    """Return layer and number of each shown neuron once, ascending."""
    pairs = shown[["layer", "neuron"]].drop_duplicates().sort_values(["layer", "neuron"])
    return [(int(layer), int(neuron)) for layer, neuron in pairs.itertuples(index=False)]
