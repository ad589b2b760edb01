"""Normalisation against a loop over single neurons."""

import numpy as np
import pytest
from crane.neurons.normalisation import normalise
from support.neurons import values

HOWS = ["layer", "global", "rank", "minmax", "none"]


def normalised_by_loop(x, how):
    result = np.full_like(x, np.nan)
    for language, layer, neuron in np.argwhere(np.isfinite(x)):
        value = x[language, layer, neuron]
        peers = x[language] if how == "global" else x[language, layer]
        peers = peers[np.isfinite(peers)]
        result[language, layer, neuron] = {
            "layer": lambda v, p: (v - p.mean()) / p.std(),
            "global": lambda v, p: (v - p.mean()) / p.std(),
            "rank": lambda v, p: ((p < v).sum() + ((p == v).sum() + 1) / 2) / len(p),
            "minmax": lambda v, p: (v - p.min()) / (p.max() - p.min()),
            "none": lambda v, p: v,
        }[how](value, peers)
    return result


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("seed", range(3))
def test_normalisation_equals_a_loop(how, seed):
    x = values(seed)
    x[:, :, 7] = x[:, :, 8]  # ties
    np.testing.assert_allclose(normalise(x, how), normalised_by_loop(x, how), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("how", HOWS)
def test_normalisation_leaves_its_input_alone(how):
    x = values()
    before = x.copy()
    normalise(x, how)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("how", ["layer", "global"])
@pytest.mark.parametrize("value", [0.0, 3.0, 0.1, 1 / 3, 1e6 / 7])
def test_z_scores_of_constants_are_zero(how, value):
    x = np.full((2, 2, 11), value)
    x[0, 0, 3] = np.nan
    scores = normalise(x, how)
    assert np.isnan(scores[0, 0, 3])
    assert (scores[np.isfinite(x)] == 0).all()


def test_minmax_of_constants_is_zero():
    assert (normalise(np.full((2, 2, 5), 4.0), "minmax") == 0).all()


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(ValueError, match="'zscore'; known: layer, global, rank, minmax, none"):
        normalise(values(), "zscore")
