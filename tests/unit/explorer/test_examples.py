"""The parts of texts on the page: whole characters, around the strongest token, within the steps."""

import numpy as np
import pandas as pd
import pytest
from crane.explorer.examples import STEPS, example_data, groups_of, window


def test_parts_of_a_character_are_joined_with_its_end():
    texts, starts = groups_of(["", "", "語", "a", "", "é"])
    assert texts == ["語", "a", "é"] and starts.tolist() == [0, 3, 4]


@pytest.mark.parametrize("texts", [[""], ["a", ""], ["", ""]])
def test_a_text_that_ends_within_a_character_loses_no_token(texts):
    joined, starts = groups_of(texts)
    assert joined == ["".join(texts)] and starts.tolist() == [0]


@pytest.mark.parametrize(("place", "expected"), [(0, (0, 4)), (5, (3, 7)), (9, (6, 10))])
def test_the_window_is_around_the_strongest(place, expected):
    relevance = np.full(10, 0.1)
    relevance[place] = -2
    found = window(relevance, 4)
    assert (found.start, found.stop) == expected
    assert window(relevance, 20) == slice(0, 10)


def test_examples_and_texts():
    """Two neurons share a sample; of it the page has what either shows."""
    relevance = {1: [0, 0, 0.5, -1, 0, 0, 0, 0], 2: [0, 0, 0, 0, 0, 0.25, 0.25, 0]}
    values = [1, -3, 2, 0, 0, 0, 0, 4]
    examples = pd.DataFrame(
        {"language": "en", "layer": 0, "neuron": neuron, "place": 1, "sample_id": 7, "relevance": 0.125,
         "token_relevance": np.array(own, np.float32), "token_values": np.array(values, np.float32)}
        for neuron, own in relevance.items()
    )  # fmt: skip
    texts = pd.DataFrame(
        [{"language": "en", "sample_id": 7, "texts": ["a", "", "b", "c", "d", "", "e", "f"]}]
    )
    found, parts = example_data(examples, texts, {(0, 1): 0, (0, 2): 1, (0, 3): 2}, 3)
    assert [len(own) for own in found] == [1, 1, 0]
    # In the pieces a, b (two tokens), c, d, e (two), f.
    one, two = found[0][0], found[1][0]
    assert (one["start"], one["largest"], one["highest"]) == (1, 1, 3)
    assert one["relevance"] == [round(STEPS / 2), -STEPS, 0] and one["values"] == [-STEPS, 0, 0]
    assert (two["start"], two["largest"]) == (3, 0.5) and two["relevance"] == [0, STEPS, 0]
    assert two["values"] == [0, 0, STEPS]
    assert parts == [
        {"language": "en", "sample": 7, "start": 1, "whole": 6, "pieces": ["b", "c", "d", "e", "f"]}
    ]


def test_a_dead_neuron_has_zeros():
    frame = pd.DataFrame(
        [{"language": "en", "layer": 0, "neuron": 0, "place": 1, "sample_id": 0, "relevance": 0.0,
          "token_relevance": np.zeros(2, np.float32), "token_values": np.zeros(2, np.float32)}]
    )  # fmt: skip
    texts = pd.DataFrame([{"language": "en", "sample_id": 0, "texts": ["a", "b"]}])
    found, _ = example_data(frame, texts, {(0, 0): 0}, 8)
    assert found[0][0]["relevance"] == [0, 0] and found[0][0]["largest"] == 0
