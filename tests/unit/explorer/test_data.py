"""What the page knows, against the tables that it comes from."""

import numpy as np
import pandas as pd
import pytest
from crane.explorer.data import (
    Chosen,
    choices,
    effects_of,
    has,
    margins,
    members,
    plain,
    ranks,
    selected_again,
    statistics_of,
)
from crane.neurons.neuron_set import NeuronSet
from crane.results.labels import ResultsError
from crane.selection.choose import choose
from support.explorer_page import LANGUAGES, SETTINGS, masks, page_data, statistics

CODES = list(LANGUAGES)
LAYERS, WIDTH = 3, 40


@pytest.fixture(scope="module")
def tables():
    return statistics(LAYERS, WIDTH)


@pytest.fixture(scope="module")
def chosen(tables):
    return Chosen("crane", "CRANE", choose(pd.concat(tables), SETTINGS, CODES)[0], SETTINGS, True)


def test_members_are_all_neurons_as_distances():
    neurons = masks(LAYERS, WIDTH, 5, 0)
    for code, steps in members(neurons, WIDTH).items():
        flat = [k * WIDTH + i for k, index in neurons[code].items() for i in index]
        assert np.cumsum(steps).tolist() == flat
    assert members(NeuronSet({"en": {}}, layers=2), WIDTH) == {"en": []}


def test_statistics_are_those_of_the_tables(tables):
    pairs = [(0, 3), (2, 0), (2, 39)]
    found = statistics_of(tables, pairs, CODES)
    for code in CODES:
        for place, (layer, neuron) in enumerate(pairs):
            own = tables[layer][tables[layer]["language"] == code].set_index("neuron").loc[neuron]
            assert found[code]["kurtosis"][place] == pytest.approx(own["kurtosis"], rel=1e-3)


def test_undefined_numbers_are_none_and_others_have_four_digits(tables):
    broken = [table.assign(z=np.where(table["neuron"] == 3, np.nan, table["z"])) for table in tables]
    z = {code: own["z"] for code, own in statistics_of(broken, [(0, 3), (0, 4)], CODES).items()}
    other, margin = margins(z, "en")
    assert np.isnan([other[0], margin[0]]).all()
    assert other[1] == max(z["ar"][1], z["zh"][1]) and margin[1] == z["en"][1] - other[1]
    assert plain(other) == [None, pytest.approx(other[1], rel=1e-3)]
    assert plain([1234567.0, -0.00012345, np.inf]) == [1235000.0, -0.0001234, None]


def test_rows_say_on_which_halves_a_neuron_is_selected_again(tables, chosen):
    data = page_data(layers=LAYERS, width=WIDTH)
    assert set(data["rows"]["halves"][:36]) <= {0, 1, 2} and set(data["rows"]["halves"][36:]) == {None}
    same = {half: pd.concat(tables) for half in ("even", "odd")}
    shown = chosen.neurons.to_frame().assign(mask_set="crane", place=1)
    pairs = list(zip(shown["layer"], shown["neuron"], strict=True))
    numbers = {pair: number for number, pair in enumerate(dict.fromkeys(pairs))}
    rows = choices(
        shown, [chosen], statistics_of(tables, list(numbers), CODES), numbers, same, "intermediate"
    )
    assert set(rows["halves"]) == {2}
    assert len({len(column) for column in rows.values()}) == 1
    assert selected_again(chosen._replace(measured=False), same, "intermediate") == []


def test_has():
    neurons = NeuronSet({"en": {1: np.array([2, 5])}}, layers=2)
    expected = {(1, 2): True, (1, 5): True, (1, 3): False, (1, 9): False, (0, 2): False}
    assert {pair: has(neurons, "en", *pair) for pair in expected} == expected


def test_the_first_of_a_set_has_the_first_rank(tables, chosen):
    own = chosen.neurons.to_frame().query("language == 'en'").sort_values("score", ascending=False)
    pairs = list(zip(own["layer"], own["neuron"], strict=True))
    found = ranks([chosen, chosen._replace(measured=False)], tables, pairs, CODES, "intermediate")
    assert found[0]["en"] == list(range(1, len(pairs) + 1)) and found[1] is None


def test_effects_are_those_of_the_shown_neurons():
    table = pd.DataFrame(
        {
            "language": ["en", "en", "en"],
            "layer": [0, 1, 0],
            "neuron": pd.array([3, 3, None], dtype="Int64"),  # the last is a group
            "change": [0.25, 1, 2],
            "change_odd": [0.5, 1, 2],
            "unit": [0, 1, 2],
        }
    )
    assert effects_of(table, {(0, 3): 8}) == [
        {"neuron": 8, "language": "en", "change": 0.25, "change_odd": 0.5}
    ]
    assert effects_of(None, {}) == []
    with pytest.raises(ResultsError, match="no column layer, neuron"):
        effects_of(table[["language", "change"]], {})
