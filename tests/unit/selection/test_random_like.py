"""Random sets have the counts of another, and depend on the seed only."""

import numpy as np
import pandas as pd
import pytest
from crane.neurons.neuron_set import NeuronSet
from crane.selection.random_like import NEAREST, magnitude_ratio, mean_magnitudes, random_like
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


# Of the same magnitude ------------------------------------------------------------------------------------


def magnitudes(layers: int, width: int) -> dict[int, np.ndarray]:
    return {k: np.random.default_rng([9, k]).lognormal(size=width) for k in range(layers)}


def chosen(width: int = 200) -> NeuronSet:
    """Return five neurons per language and layer, none of the largest magnitude."""
    by_size = {k: np.argsort(sizes) for k, sizes in magnitudes(2, width).items()}
    return NeuronSet(
        {
            code: {
                k: np.sort(order[100 + 10 * place : 150 + 10 * place : 10]) for k, order in by_size.items()
            }
            for place, code in enumerate(LANGUAGES)
        },
        layers=2,
    )


def test_neurons_of_the_same_magnitude_are_near_in_rank_and_none_of_the_sets_own():
    like, sizes = chosen(), magnitudes(2, 200)
    for seed in range(20):
        neurons = random_like(like, 200, seed, sizes)
        assert neurons.counts().equals(like.counts())
        for code in LANGUAGES:
            for k, indices in neurons[code].items():
                assert len(set(indices)) == len(indices) and not set(indices) & set(like[code][k])
                ranks = np.argsort(np.argsort(sizes[k]))
                # Each is among the ten that are nearest to one of the set and left.
                far = np.abs(np.sort(ranks[indices]) - np.sort(ranks[like[code][k]]))
                assert far.max() <= NEAREST + 5
    ratios = [magnitude_ratio(random_like(like, 200, seed, sizes), like, sizes) for seed in range(50)]
    for code in LANGUAGES:
        assert np.mean([ratio[code] for ratio in ratios]) == pytest.approx(1, abs=0.05)


def test_such_draws_depend_on_the_seed_only_and_are_uniform():
    like, sizes = chosen(), magnitudes(2, 200)
    assert random_like(like, 200, 3, sizes) == random_like(like, 200, 3, sizes)
    assert random_like(like, 200, 3, sizes) != random_like(like, 200, 4, sizes)
    one = NeuronSet({"en": {0: np.array([7])}}, layers=1)
    ranked = {0: np.arange(30.0)}
    hits = np.bincount(
        [int(random_like(one, 30, seed, ranked)["en"][0][0]) for seed in range(1000)], minlength=30
    )
    assert np.flatnonzero(hits).tolist() == [2, 3, 4, 5, 6, 8, 9, 10, 11, 12]
    near = hits[hits > 0]
    assert ((near - 100) ** 2 / 100).sum() < 25  # chi-square of 9 degrees


def test_the_largest_neurons_are_matched_by_the_next_ones():
    like = NeuronSet({"en": {0: np.arange(25, 30)}}, layers=1)
    sizes = {0: np.arange(1.0, 31.0)}
    neurons = random_like(like, 30, 0, sizes)
    assert neurons["en"][0].min() >= 25 - NEAREST - 5 and neurons["en"][0].max() < 25
    assert magnitude_ratio(neurons, like, sizes)["en"] < 0.9


def test_a_layer_that_is_chosen_by_more_than_half_has_too_few_others():
    with pytest.raises(SelectionError, match="layer 0: 3 of 2 neurons cannot be drawn"):
        random_like(NeuronSet({"en": {0: np.arange(3)}}, layers=1), 5, 0, {0: np.arange(5.0)})


def test_magnitudes_are_means_over_languages_that_weigh_the_same():
    statistics = pd.DataFrame(
        [
            {"language": code, "layer": layer, "neuron": neuron, "mean_abs": value + 10 * layer + neuron}
            for code, value in (("en", 1.0), ("zh", 4.0)) for layer in (1, 0) for neuron in range(3)
        ]
    )  # fmt: skip
    found = mean_magnitudes(statistics)
    assert {k: sizes.tolist() for k, sizes in found.items()} == {0: [2.5, 3.5, 4.5], 1: [12.5, 13.5, 14.5]}
