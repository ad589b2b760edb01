"""Neuron sets: which neurons they hold, how they compare, and what they refuse."""

import numpy as np
import pytest
from crane.neurons.neuron_set import NeuronSet, jaccard
from support.neurons import keys, some_set


def test_from_flags_keeps_exactly_the_flagged():
    rng = np.random.default_rng(1)
    flags, scores = rng.random((2, 3, 7)) < 0.4, rng.normal(size=(2, 3, 7))
    neurons = NeuronSet.from_flags(flags, ["en", "vi"], scores=scores)
    for row, language in enumerate(neurons):
        assert keys(neurons, language) == {(k, i) for k, i in np.argwhere(flags[row]).tolist()}
        for k, indices in neurons[language].items():
            np.testing.assert_array_equal(neurons.scores[language][k], scores[row, k, indices])
    assert list(neurons) == ["en", "vi"]
    assert len(neurons) == 2
    assert "vi" in neurons
    assert "zh" not in neurons


def test_counts_are_per_language_and_layer():
    neurons = NeuronSet({"en": {0: np.array([1, 5]), 2: np.array([0])}, "vi": {}}, layers=3)
    counts = neurons.counts()
    assert counts.loc["en"].tolist() == [2, 0, 1]
    assert counts.loc["vi"].tolist() == [0, 0, 0]
    assert neurons.total("en") == 3
    assert neurons.total("vi") == 0


def test_jaccard_by_hand():
    one = {0: np.array([1, 2, 3]), 1: np.array([5])}
    other = {0: np.array([2, 3, 9]), 2: np.array([5])}
    assert jaccard(one, other) == jaccard(other, one) == 2 / 6
    assert jaccard(one, one) == 1
    assert jaccard(one, {}) == jaccard({}, one) == 0
    nothing = np.empty(0, np.int64)
    assert jaccard({}, {}) == jaccard({}, {0: nothing}) == 1, "two empty sets are the same one"


def test_jaccard_equals_sets():
    one, two = some_set(0), some_set(1)
    found = one.jaccard(two)
    for language in ("en", "zh"):
        a, b = keys(one, language), keys(two, language)
        assert found[language] == len(a & b) / len(a | b)
    assert found["vi"] == 1.0  # both empty
    assert one.jaccard(one) == {"en": 1.0, "zh": 1.0, "vi": 1.0}
    assert one.jaccard(NeuronSet({"zh": {}}, layers=4)) == {"zh": 0.0}
    with pytest.raises(ValueError, match="different sites"):
        one.jaccard(some_set(site="residual_write"))


def test_equality_means_the_same_neurons():
    assert some_set(0) == some_set(0)
    assert some_set(0) != some_set(1)
    assert some_set(0) != some_set(0, site="residual_write")
    without = NeuronSet({"en": {}}, layers=2)
    assert without == NeuronSet({"en": {1: np.empty(0, np.int64)}}, layers=2)
    assert without != NeuronSet({"en": {}}, layers=3)


@pytest.mark.parametrize(
    ("neurons", "message"),
    [
        ({"en": {3: np.array([0])}}, r"en: layer 3 is outside 0\.\.2"),
        ({"en": {-1: np.array([0])}}, "layer -1"),
        ({"en": {0: np.array([-1, 2])}}, "en, layer 0.*>= 0"),
        ({"en": {0: np.array([[1]])}}, "one row"),
        ({"en": {1: np.array([2, 1])}}, "en, layer 1.*ascend"),
        ({"en": {1: np.array([1, 1])}}, "without repetition"),
    ],
)
def test_nonsense_is_refused(neurons, message):
    with pytest.raises(ValueError, match=message):
        NeuronSet(neurons, layers=3)


def test_an_unknown_site_language_or_shape_is_refused():
    with pytest.raises(ValueError, match="'middle'; known: intermediate, residual_write"):
        NeuronSet({}, layers=3, site="middle")
    with pytest.raises(KeyError, match=r"'fr'.*en, zh, vi"):
        some_set()["fr"]
    with pytest.raises(ValueError, match=r"expected \[2 languages"):
        NeuronSet.from_flags(np.zeros((3, 2, 4), bool), ["en", "vi"])
