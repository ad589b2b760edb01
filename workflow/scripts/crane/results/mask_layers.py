"""How many neurons each mask takes from each layer, for tables and figures."""

from collections.abc import Mapping

import pandas as pd

from crane.results.labels import Labels, ResultsError


def layer_counts(masks: Mapping[str, pd.DataFrame], labels: Labels, layers: int) -> pd.DataFrame:
    """Count the masked neurons per mask set, language and layer (all sites together, mean over seeds).

    Args:
        masks: mask set, with its seed -> its neurons (language, layer, site, neuron).
        labels: of the study.
        layers: of the model.

    Returns:
        label, language, layer (from 0; every layer has a row), neurons, seeds.

    Raises:
        ResultsError: a mask set of the study is missing.
    """
    named = {name: name if name in labels.mask_sets else name.rpartition("-")[0] for name in masks}
    if lacking := [label for label in labels.mask_sets if label not in named.values()]:
        raise ResultsError(f"masks: no file for mask set {lacking[0]!r}; found: {', '.join(masks) or 'none'}")
    seeds = pd.Series(named).value_counts().to_dict()
    neurons = pd.concat([frame.assign(label=named[name]) for name, frame in masks.items()])
    keys = ["label", "language", "layer"]
    grid = pd.MultiIndex.from_product([labels.mask_sets, labels.languages, range(layers)], names=keys)
    counts = neurons.groupby(keys).size().reindex(grid, fill_value=0).rename("neurons").reset_index()
    counts["seeds"] = counts["label"].map(seeds)
    counts["neurons"] /= counts["seeds"]
    return counts
