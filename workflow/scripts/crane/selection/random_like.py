"""Random neurons that are like those of another mask set: the null of a selection."""

import numpy as np
import pandas as pd

from crane.neurons.neuron_set import NeuronSet
from crane.selection.ranking import SelectionError

NEAREST = 10
"""Number of neurons of nearest magnitude among which one is drawn."""


def random_like(
    neurons: NeuronSet, width: int, seed: int, magnitudes: dict[int, np.ndarray] | None = None
) -> NeuronSet:
    """Draw a random set with the same number of neurons per language, layer and site.

    Without magnitudes all neurons of a layer are drawn alike, the set's own included. With them, for each neuron of the
    set another one is drawn, uniformly among the `NEAREST` in the ranking of the layer's magnitudes that are left: what
    such a set does is owed neither to the layer nor to how much relevance its neurons have in general. Where the set
    has the largest magnitudes of its layer, the drawn ones are smaller (`magnitude_ratio`).

    Args:
        neurons: the set to match.
        width: neurons per layer of the model.
        seed: seed of this draw; languages are drawn independently of each other and of their order.
        magnitudes: layer -> magnitude of each neuron, float `[width]`, as of `mean_magnitudes`.

    Raises:
        SelectionError: a layer has too few neurons.
    """
    drawn: dict[str, dict[int, np.ndarray]] = {}
    for language, by_layer in neurons.items():
        generator = np.random.default_rng([seed, *language.encode()])
        drawn[language] = {}
        for layer, indices in sorted(by_layer.items()):
            left = width if magnitudes is None else width - len(indices)
            if len(indices) > left:
                raise SelectionError(f"layer {layer}: {len(indices)} of {left} neurons cannot be drawn")
            if magnitudes is None:
                choice = generator.choice(width, size=len(indices), replace=False)
            else:
                choice = _near(np.asarray(indices), magnitudes[layer], generator)
            drawn[language][layer] = np.sort(choice).astype(np.int64)
    return NeuronSet(drawn, layers=neurons.layers, site=neurons.site)


def _near(indices: np.ndarray, magnitudes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Draw for each index another one, of similar rank, that is none of them; each at most once."""
    ranks = np.empty(len(magnitudes), np.int64)
    ranks[np.argsort(magnitudes, kind="stable")] = np.arange(len(magnitudes))
    free = np.setdiff1d(np.arange(len(magnitudes)), indices)
    drawn = []
    for index in generator.permutation(indices):
        nearest = np.argsort(np.abs(ranks[free] - ranks[index]), kind="stable")[:NEAREST]
        place = generator.choice(nearest)
        drawn.append(free[place])
        free = np.delete(free, place)
    return np.array(drawn, np.int64)


def mean_magnitudes(statistics: pd.DataFrame, column: str = "mean_abs") -> dict[int, np.ndarray]:
    """Return the mean |R| of every neuron over all languages, layer -> float64 `[I]`; languages weigh the same.

    Args:
        statistics: language, layer, neuron and the column, of `crane.relevance`.
        column: of the magnitude: mean_abs, or energy, what the MLP's output loses without the neuron.
    """
    means = statistics.groupby(["layer", "neuron"])[column].mean()
    return {int(layer): rows.to_numpy() for layer, rows in means.groupby(level="layer")}


def magnitude_ratio(
    drawn: NeuronSet, neurons: NeuronSet, magnitudes: dict[int, np.ndarray]
) -> dict[str, float]:
    """Return, per language, the mean magnitude of the drawn neurons divided by that of the set's."""

    def mean(of: NeuronSet, language: str) -> float:
        return float(np.concatenate([magnitudes[k][index] for k, index in of[language].items()]).mean())

    return {language: mean(drawn, language) / mean(neurons, language) for language in neurons}
