"""Random neurons and groups: how many, from where, and what is refused."""

from collections import Counter

import pytest
from crane.neurons.ablations import AblationError, draw_ablations

ASKED = {"neurons": 14, "groups": 5, "group_size": 6}


def test_neurons_are_distinct_and_spread_over_the_layers():
    drawn = draw_ablations(4, 10, **ASKED, seed=3)
    singles, groups = ([one for one in drawn if one.kind == kind] for kind in ("neuron", "group"))
    assert drawn == singles + groups and (len(singles), len(groups)) == (14, 5)
    assert len(set(singles)) == 14 and all(len(one.neurons) == 1 for one in singles)
    assert sorted(Counter(one.layer for one in singles).values()) == [3, 3, 4, 4]
    assert sorted(Counter(one.layer for one in groups).values()) == [1, 1, 1, 2]
    for group in groups:
        assert len(set(group.neurons)) == 6 and list(group.neurons) == sorted(group.neurons)
        assert 0 <= group.neurons[0] <= group.neurons[-1] < 10


def test_the_draw_is_seeded_and_may_take_every_neuron():
    one, again, other = (draw_ablations(4, 10, **ASKED, seed=seed) for seed in (0, 0, 1))
    assert one == again != other
    every = draw_ablations(4, 10, neurons=40, groups=0, group_size=1, seed=0)
    assert {(one.layer, one.neurons[0]) for one in every} == {(k, n) for k in range(4) for n in range(10)}


def test_more_than_there_are_is_refused():
    with pytest.raises(AblationError, match=r"calibration.neurons: 41; the model has 4 x 10"):
        draw_ablations(4, 10, neurons=41, groups=0, group_size=1, seed=0)
    with pytest.raises(AblationError, match=r"calibration.group_size: 11; a layer has 10"):
        draw_ablations(4, 10, neurons=4, groups=1, group_size=11, seed=0)
