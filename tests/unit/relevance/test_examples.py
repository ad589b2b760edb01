"""Relevance token by token: summed, it is the sample's relevance; the tap leaves nothing behind."""

import pandas as pd
import pytest
import torch
from crane.models.architectures import mlps
from crane.relevance.attribution import attribution
from crane.relevance.collect import padded
from crane.relevance.examples import by_layer, example_rows, token_relevance
from crane.relevance.memory import Fit
from crane.relevance.sweep import layer_sweep
from support.relevance import Captured

NEURONS = {0: torch.tensor([1, 7]), 2: torch.tensor([4])}


@pytest.fixture
def samples():
    generator = torch.Generator().manual_seed(1)
    return {n: torch.randint(4, 140, (4 + n % 3,), generator=generator) for n in (3, 5, 8, 13)}


@pytest.mark.parametrize("site", ["intermediate", "residual_write"])
@pytest.mark.parametrize("family", ["llama", "opt"])
def test_the_sum_over_the_tokens_is_the_relevance_of_the_sample(make_model, samples, family, site):
    model = make_model(family)
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    with attribution(model, site=site) as attribute:
        found = dict(token_relevance(attribute, samples, NEURONS, Fit(12)))
        whole = {n: attribute(*padded([sample], "cpu"))[0] for n, sample in samples.items()}
    assert found.keys() == samples.keys()
    for number, layers in found.items():
        assert layers.keys() == NEURONS.keys()
        for layer, both in layers.items():
            assert both.relevance.shape == both.values.shape == (len(samples[number]), len(NEURONS[layer]))
            total = whole[number][layer, NEURONS[layer]]
            torch.testing.assert_close(both.relevance.sum(0), total, rtol=1e-3, atol=1e-5)
    assert hooks == sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_values_are_the_neurons_own(llama, samples):
    with attribution(llama) as attribute:
        captured = Captured([mlp.down for mlp in mlps(llama)], "input")
        attribute(*padded([samples[5]], "cpu"))
        found = dict(token_relevance(attribute, {5: samples[5]}, NEURONS, Fit(12)))
    torch.testing.assert_close(found[5][2].values, captured.values[2][0][:, [4]].detach())


def test_a_layer_sweep_gives_the_same(llama, samples):
    with attribution(llama) as attribute:
        whole = dict(token_relevance(attribute, samples, NEURONS, Fit(12)))
    with layer_sweep(llama, device="cpu", resident=1) as sweep, attribution(llama, passing=sweep) as swept:
        for number, layers in token_relevance(swept, samples, NEURONS, Fit(12)):
            for layer, both in layers.items():
                assert torch.equal(both.relevance, whole[number][layer].relevance)


def test_rows_take_the_column_of_their_neuron(llama, samples):
    assert {k: v.tolist() for k, v in by_layer([(2, 4), (0, 7), (0, 1), (0, 7)]).items()} == {
        0: [1, 7], 2: [4]
    }  # fmt: skip
    with attribution(llama) as attribute:
        found = dict(token_relevance(attribute, samples, NEURONS, Fit(12)))[8]
    top = pd.DataFrame({"language": "en", "layer": [0, 2], "neuron": [7, 4], "place": 1, "sample_id": 8,
                        "relevance": [0.5, 0.25]})  # fmt: skip
    rows = list(example_rows(top, NEURONS, found))
    assert [row["neuron"] for row in rows] == [7, 4]
    assert rows[0]["token_relevance"].tolist() == found[0].relevance[:, 1].tolist()
    assert rows[1]["token_values"].tolist() == found[2].values[:, 0].tolist()
    assert all(row[name].base is None for row in rows for name in ("token_relevance", "token_values")), (
        "a row that is a view keeps a batch of all neurons in memory"
    )
