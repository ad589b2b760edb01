"""Masked neurons are counted per layer, layers without any included."""

import pandas as pd
import pytest
from crane.results.labels import Labels, ResultsError
from crane.results.mask_layers import layer_counts

LABELS = Labels({"en": "English", "vi": "Vietnamese"}, {"crane": "CRANE", "random": "Random"})


def mask(**layers: list[int]) -> pd.DataFrame:
    """Return the neurons of a mask: per language, the layer of each."""
    rows = [
        (code, layer, number)
        for code, of_neurons in layers.items()
        for number, layer in enumerate(of_neurons)
    ]
    return pd.DataFrame(rows, columns=["language", "layer", "neuron"]).assign(site="intermediate")


MASKS = {
    "random-0": mask(en=[0], vi=[2, 2]),
    "crane": mask(en=[0, 0, 2], vi=[1]),
    "random-1": mask(en=[0, 1]),
}


def test_every_layer_has_a_row_and_seeds_are_averaged() -> None:
    counted = layer_counts(MASKS, LABELS, 3)
    assert list(counted.columns) == ["label", "language", "layer", "neurons", "seeds"]
    assert len(counted) == 2 * 2 * 3
    counts = counted.set_index(["label", "language"])["neurons"]
    assert counts["crane", "en"].tolist() == [2, 0, 1]
    assert counts["crane", "vi"].tolist() == [0, 1, 0]
    assert counts["random", "en"].tolist() == [1, 0.5, 0]
    assert counts["random", "vi"].tolist() == [0, 0, 1]
    assert counted.groupby("label")["seeds"].unique().map(list).to_dict() == {"crane": [1], "random": [2]}


def test_rows_come_in_the_order_of_the_study() -> None:
    counted = layer_counts(MASKS, LABELS, 3)
    assert counted["label"].drop_duplicates().tolist() == ["crane", "random"]
    assert counted["language"].drop_duplicates().tolist() == ["en", "vi"]
    assert counted["layer"].tolist() == [0, 1, 2] * 4


def test_sites_are_counted_together_and_a_set_of_one_seed_needs_no_number() -> None:
    both = pd.concat([MASKS["crane"], MASKS["crane"].assign(site="residual_write")])
    counted = layer_counts({"crane": both}, LABELS.only(["crane"]), 3)
    assert counted["neurons"].sum() == 2 * 4


def test_a_missing_mask_set_is_named() -> None:
    with pytest.raises(ResultsError, match="no file for mask set 'random'; found: crane"):
        layer_counts({"crane": MASKS["crane"]}, LABELS, 3)
    with pytest.raises(ResultsError, match="no file for mask set 'crane'; found: none"):
        layer_counts({}, LABELS, 3)
