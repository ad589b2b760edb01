"""Random sets have the counts of another, and depend on the seed only."""

import numpy as np
import pytest
from crane.neurons.neuron_set import NeuronSet
from crane.selection.random_like import random_like
from crane.selection.ranking import SelectionError
from support.neurons import LANGUAGES


def drawn(neurons, language):
    return {k: indices.tolist() for k, indices in neurons[language].items()}


def test_random_sets_have_the_same_counts_per_layer():
    rng = np.random.default_rng(0)
    like = NeuronSet.from_flags(
        rng.random((3, 4, 50)) < [[[0.1]], [[0.5]], [[1.1]]], LANGUAGES, "residual_write"
    )
    neurons = random_like(like, 50, seed=3)
    assert neurons.counts().equals(like.counts())
    assert (neurons.layers, neurons.site) == (4, "residual_write")
    assert drawn(neurons, "vi") == {k: list(range(50)) for k in range(4)}  # all of them
    assert drawn(neurons, "en") != drawn(like, "en")


def test_random_sets_depend_on_the_seed_only():
    like = NeuronSet.from_flags(np.random.default_rng(1).random((3, 4, 50)) < 0.3, LANGUAGES)
    one = random_like(like, 50, seed=0)
    assert random_like(like, 50, seed=0) == one
    for language in LANGUAGES:
        assert drawn(random_like(like, 50, seed=1), language) != drawn(one, language)
    # Neither the order of the languages nor their number matters, nor the order of the layers.
    backwards = NeuronSet(
        {name: dict(reversed(like[name].items())) for name in reversed(LANGUAGES[1:])}, layers=4
    )
    again = random_like(backwards, 50, seed=0)
    assert all(drawn(again, name) == drawn(one, name) for name in again)


def test_random_languages_are_drawn_apart():
    flags = np.zeros((3, 2, 50), bool)
    flags[:, :, :10] = True
    neurons = random_like(NeuronSet.from_flags(flags, LANGUAGES), 50, seed=0)
    assert drawn(neurons, "en") != drawn(neurons, "zh")


def test_random_draws_are_uniform():
    like = NeuronSet({"en": {0: np.arange(5)}}, layers=1)
    hits = np.bincount(
        np.concatenate([random_like(like, 20, seed)["en"][0] for seed in range(400)]), minlength=20
    )
    assert hits.sum() == 2000
    assert ((hits - 100) ** 2 / 100).sum() < 60  # chi-square of 19 degrees; the draw is fixed by its seeds


def test_a_layer_too_narrow_is_refused():
    with pytest.raises(SelectionError, match="layer 0: 5 of 4 neurons"):
        random_like(NeuronSet({"en": {0: np.arange(5)}}, layers=1), 4, seed=0)
