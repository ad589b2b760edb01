"""Baselines without gradients against their formulas neuron by neuron."""

import numpy as np
import pytest
from crane.selection.choose import choose, columns, contrast
from crane.selection.methods.activation import effect_size
from crane.selection.rules import by_rule, log_ratio
from support.neurons import LANGUAGES, flags
from support.statistics import statistics

RANKED = {"method": "activation", "normalise": "none", "rule": "margin", "budget": {"count": 5}}


def values(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(3, 2, 20)), rng.gamma(2.0, size=(3, 2, 20))


def by_hand(mean, std):
    found = np.full(mean.shape, np.nan)
    for row, layer, neuron in np.ndindex(*mean.shape):
        effects = []
        for other in set(range(3)) - {row}:
            pooled = ((std[row, layer, neuron] ** 2 + std[other, layer, neuron] ** 2) / 2) ** 0.5
            effects.append((mean[row, layer, neuron] - mean[other, layer, neuron]) / pooled)
        found[row, layer, neuron] = min(effects)
    return found


def test_effect_size_is_that_against_the_closest_other_language():
    mean, std = values()
    np.testing.assert_allclose(effect_size(mean, std), by_hand(mean, std), rtol=1e-12)


def test_a_neuron_that_is_constant_in_two_languages_has_no_effect_size():
    mean, std = values()
    std[:2, 0, 3] = 0
    found = effect_size(mean, std)
    assert np.isnan(found[:2, 0, 3]).all() and np.isfinite(found[2, 0, 3])
    settings = {**RANKED, "statistic": "effect_size", "budget": {"count": 40, "fill": False}}
    chosen, facts = choose(statistics(mean_value=mean, value_std=std), settings, LANGUAGES)
    assert not flags(chosen, mean.shape)[:, 0, 3].any() and set(facts["undefined"].values()) == {1}


def test_effect_sizes_compare_languages_already():
    """Chosen is what is above 0, without the differences of differences."""
    mean, std = values()
    found = by_hand(mean, std)
    settings = {**RANKED, "statistic": "effect_size", "budget": {"count": 4}}
    chosen, _ = choose(statistics(mean_value=mean, value_std=std), settings, LANGUAGES)
    for row, language in enumerate(LANGUAGES):
        expected = [i for i in np.argsort(-found[row], axis=None)[:4] if found[row].flat[i] > 0]
        assert set(np.flatnonzero(flags(chosen, mean.shape)[row])) == set(expected)
        assert all((score > 0).all() for score in chosen.scores[language].values())


@pytest.mark.parametrize("how", ["log_ratio", "difference"])
def test_energy_is_compared_as_a_ratio_unless_asked_otherwise(how):
    energy = values()[1]
    settings = {**RANKED, "statistic": "energy"} | ({} if how == "log_ratio" else {"contrast": how})
    assert columns(settings)[-1] == "energy" and contrast(settings) == how
    found = choose(statistics(energy=energy), settings, LANGUAGES)[0]
    scores = log_ratio(energy) if how == "log_ratio" else energy
    expected = by_rule(scores, LANGUAGES, rule="margin", top=5)
    np.testing.assert_array_equal(flags(found, energy.shape), flags(expected, energy.shape))
