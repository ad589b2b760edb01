"""The values of the intervention `mean`, from statistics to the engine's arguments."""

import numpy as np
import pandas as pd
import pytest
import torch
from crane.artefacts import write_table
from crane.neurons.donor_values import write_values
from crane.neurons.mean_values import balanced, intervention
from crane.relevance.moments import Moments
from crane.relevance.shards import Statistics
from crane.relevance.statistics import layer_table

K, I = 3, 7  # noqa: E741


@pytest.fixture
def values():
    """Values of every neuron at every token: 40 tokens of one language, 10 of another."""
    generator = torch.Generator().manual_seed(0)
    return {lang: torch.randn(n, K, I, generator=generator).double() for lang, n in (("en", 40), ("vi", 10))}


def tables(values):
    moments = Moments.from_batch(torch.randn(5, I, generator=torch.Generator().manual_seed(1)))
    zeros = torch.zeros(I, dtype=torch.int64)
    return [
        layer_table(
            {
                lang: Statistics(moments, zeros, len(own) + 5, own[:, layer].sum(0), len(own))
                for lang, own in values.items()
            },
            layer,
            "intermediate",
        )
        for layer in range(K)
    ]


def by_hand(values):
    return torch.stack([own.mean(0) for own in values.values()]).mean(0)


def test_every_language_weighs_the_same_however_many_tokens_it_has(values):
    table = pd.concat(tables(values)[::-1]).sample(frac=1, random_state=0)
    np.testing.assert_allclose(balanced(table), by_hand(values), rtol=1e-12)


def test_settings_become_arguments(values, tmp_path):
    paths = [tmp_path / f"layer-{layer}.parquet" for layer in range(K)]
    for path, table in zip(paths, tables(values), strict=True):
        write_table(table, path, {})
    assert intervention({}, []) == {}
    assert intervention({"scale": 0.5}, []) == {"scale": 0.5}
    for seed in (3, 13):
        write_values(torch.full((2, K, I), float(seed)), tmp_path / f"{seed}.safetensors", {})
    donors = [tmp_path / f"{seed}.safetensors" for seed in (13, 3)]
    resampled = intervention({"resample": 3}, [], donors)
    assert list(resampled) == ["values"] and (resampled["values"] == 3).all()
    found = intervention({"mean": True}, paths)
    assert list(found) == ["values"]
    np.testing.assert_allclose(found["values"], by_hand(values), rtol=1e-12)


def test_languages_that_route_nothing_to_an_expert_do_not_count():
    """A neuron that no language uses has 0, as what it does at a token is not known."""
    means = {"en": [1.0, np.nan, np.nan], "vi": [3.0, 5.0, np.nan]}
    table = pd.concat(
        pd.DataFrame({"language": lang, "layer": 0, "neuron": range(3), "mean_value": values})
        for lang, values in means.items()
    )
    assert balanced(table).tolist() == [[2.0, 5.0, 0.0]]
