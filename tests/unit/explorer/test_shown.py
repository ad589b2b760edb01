"""The first neurons of each mask set and language."""

import numpy as np
import pytest
from crane.explorer.shown import distinct, shown_neurons
from crane.neurons.neuron_set import NeuronSet
from crane.results.labels import ResultsError

INDEX = np.array([2, 5, 9])


def test_the_highest_scores_come_first_and_ties_by_layer():
    scores = {0: np.array([1.0, 3.0, 2.0]), 1: np.array([3.0, 0.0, 3.0])}
    masks = NeuronSet({"en": {0: INDEX, 1: INDEX}}, layers=2, scores={"en": scores})
    shown = shown_neurons({"crane": masks}, 4)
    assert shown[["place", "layer", "neuron"]].to_numpy().tolist() == [
        [1, 0, 5], [2, 1, 2], [3, 1, 9], [4, 0, 9]
    ]  # fmt: skip
    assert shown["score"].tolist() == [3, 3, 3, 2]
    assert distinct(shown) == [(0, 5), (0, 9), (1, 2), (1, 9)]


def test_without_scores_they_are_spread_over_the_layers():
    masks = NeuronSet({"en": {k: np.arange(10) for k in range(4)}}, layers=4)
    shown = shown_neurons({"random-0": masks}, 4)
    assert shown["layer"].tolist() == [0, 1, 2, 3] and set(shown["place"]) == {0}


def test_a_small_set_is_shown_whole():
    masks = NeuronSet({"en": {0: INDEX}, "vi": {}}, layers=1)
    assert shown_neurons({"lape": masks}, 50)["neuron"].tolist() == INDEX.tolist()


def test_a_study_without_selections_has_nothing_to_show():
    with pytest.raises(ResultsError, match="nothing to explore"):
        shown_neurons({}, 50)
