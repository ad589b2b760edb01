"""Settings become changes of the right neurons by the right amounts."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from crane.artefacts import ArtefactError, write_table
from crane.neurons.neuron_set import NeuronSet
from crane.neurons.steering import engine_arguments, measured_values, union

LANGUAGES = ("en", "zh", "vi")
NEURONS = NeuronSet(
    {"en": {0: np.array([0, 1])}, "zh": {0: np.array([1]), 1: np.array([2])}, "vi": {1: np.array([0])}},
    layers=2,
)
MEANS = {
    lang: 10.0**number * (1 + np.arange(6).reshape(2, 3)) for number, lang in enumerate(LANGUAGES)
}  # en 1..6, zh 10..60, vi 100..600


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Tables of two layers, rows in no order; gates' means are those of the values, negative; medians twice that."""
    folder = tmp_path_factory.mktemp("kurtosis")
    paths = []
    for layer in range(2):
        rows = [
            {"language": lang, "layer": layer, "neuron": n, "mean_value": MEANS[lang][layer, n],
             "mean_gate": -MEANS[lang][layer, n], "median_value": 2 * MEANS[lang][layer, n]}
            for lang in LANGUAGES for n in range(3)
        ]  # fmt: skip
        paths.append(folder / f"layer-{layer}.parquet")
        write_table(pd.DataFrame(rows).sample(frac=1, random_state=0), paths[-1], {})
    return paths


def change(tables: list[Path], language: str, **settings: Any) -> dict[int, Any]:
    """Return layer -> neuron -> (factor, shift) under a language's mask."""
    made = engine_arguments(settings, NEURONS, tables)["changes"]
    assert list(made) == list(LANGUAGES)
    one = made[language]
    return {
        layer: dict(zip(index.tolist(), zip(one.factors[layer], one.shifts[layer], strict=True), strict=True))
        for layer, index in one.neurons.items()
    }


def test_means_and_medians_are_read_by_language_layer_and_neuron(tables: list[Path]) -> None:
    for settings, factor in (
        ({"op": "set", "source": "mean"}, 1),
        ({"op": "set", "source": "diffmean", "site": "gate"}, -1),
        ({"op": "set", "source": "median"}, 2),
        ({"site": "gate", "activate": {"op": "add", "source": "mean"}}, -1),
        ({"site": "value", "activate": {"op": "add", "source": "median"}}, 2),
    ):
        found = measured_values(tables, settings)
        for lang in LANGUAGES:
            np.testing.assert_array_equal(found[lang], factor * MEANS[lang])
    assert measured_values([], {"op": "set", "source": "mean"}) == {}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"op": "set", "number": 2}, (0, 2)),
        ({"op": "add", "number": 2, "factor": 3}, (1, 6)),
        ({"op": "set", "source": "mean"}, (0, 20)),
        ({"op": "add", "source": "mean", "of": "own", "factor": 0.5}, (1, 10)),
        ({"op": "set", "source": "mean", "of": "vi"}, (0, 200)),
        ({"op": "set", "source": "mean", "of": "others"}, (0, 101)),
        ({"op": "set", "source": "mean", "of": "pooled"}, (0, 74)),
        ({"op": "add", "source": "diffmean"}, (1, 20 - 101)),
        ({"op": "add", "source": "diffmean", "of": "vi"}, (1, 200 - 11)),
        ({"op": "add", "source": "mean", "site": "gate"}, (1, -20)),
        ({"op": "set", "source": "median"}, (0, 40)),
        ({"op": "set", "source": "median", "of": "others"}, (0, 202)),
    ],
)
def test_one_operation_on_the_neurons_of_the_mask(
    tables: list[Path], settings: dict[str, Any], expected: tuple[float, float]
) -> None:
    found = change(tables, "zh", **settings)
    assert found.keys() == {0, 1} and found[0].keys() == {1}
    assert found[0][1] == pytest.approx(expected)


def test_one_language_is_deactivated_and_another_activated(tables: list[Path]) -> None:
    steer = {
        "site": "gate", "deactivate": {"languages": ["own"], "op": "set", "number": -1.0},
        "activate": {"language": "en", "op": "add", "source": "mean"},
    }  # fmt: skip
    # Neuron 1 of layer 0 is in both: set to -1, then the mean of English is added.
    assert change(tables, "zh", steer=steer) == {0: {0: (1, -1), 1: (0, -1 - 2)}, 1: {2: (0, -1)}}
    made = engine_arguments({"steer": steer}, NEURONS, tables)["changes"]
    assert {one.site for one in made.values()} == {"gate"}


def test_others_are_deactivated_once_each(tables: list[Path]) -> None:
    steer = {
        "deactivate": {"languages": ["others"], "op": "scale", "factor": 0.5},
        "activate": {"language": "own", "op": "scale", "factor": 2},
    }
    assert change(tables, "vi", steer=steer) == {0: {0: (0.5, 0), 1: (0.5, 0)}, 1: {0: (2, 0), 2: (0.5, 0)}}


def test_the_same_language_twice_gets_both(tables: list[Path]) -> None:
    steer = {
        "deactivate": {"languages": ["own"], "op": "zero"},
        "activate": {"language": "own", "op": "set", "source": "mean", "of": "own"},
    }
    assert change(tables, "vi", steer=steer) == {1: {0: (0, 400)}}


def test_a_neuron_that_a_language_never_reaches_has_no_mean_to_count(tmp_path: Path) -> None:
    values = {"en": [1.0, np.nan, 5.0], "zh": [np.nan, np.nan, 7.0], "vi": [4.0, np.nan, 9.0]}
    table = pd.DataFrame(
        [{"language": lang, "layer": 0, "neuron": n, "mean_value": found[n]} for lang, found in values.items()
         for n in range(3)]
    )  # fmt: skip
    write_table(table, tmp_path / "layer-0.parquet", {})
    neurons = NeuronSet({lang: {0: np.arange(3)} for lang in LANGUAGES}, layers=1)
    settings = {"op": "set", "source": "mean", "of": "others"}
    made = engine_arguments(settings, neurons, [tmp_path / "layer-0.parquet"])["changes"]
    assert made["en"].shifts[0].tolist() == [4, 0, 8]


def test_older_interventions_and_masks_are_what_they_were(tables: list[Path]) -> None:
    assert engine_arguments({}, NEURONS, []) == {}
    assert engine_arguments({"scale": 0.5}, NEURONS, []) == {"scale": 0.5}
    np.testing.assert_array_equal(
        engine_arguments({"mean": True}, NEURONS, tables)["values"], sum(MEANS.values()) / 3
    )


def test_missing_means_are_told(tables: list[Path]) -> None:
    settings = {"op": "set", "source": "mean", "of": "fr"}
    with pytest.raises(ArtefactError, match="no mean or median values of fr; there are: en, vi, zh"):
        engine_arguments(settings, NEURONS, tables)


def test_a_union_has_every_neuron_once() -> None:
    found = union([NEURONS["en"], NEURONS["zh"]])
    assert {layer: index.tolist() for layer, index in found.items()} == {0: [0, 1], 1: [2]}
