"""Single neurons masked side by side, against masking them one after the other in the model."""

import crane.relevance.ablation
import numpy as np
import pytest
import torch
from crane.models.architectures import SITES
from crane.neurons.interventions import masked
from crane.neurons.neuron_set import NeuronSet
from crane.relevance.ablation import agreement, random_neurons
from crane.relevance.attribution import attribution
from scipy.stats import pearsonr, spearmanr
from support.relevance import LENGTHS


def one_after_the_other(model, attribute, relevance, ids, mask, chosen):
    """Return what relevance predicts of each neuron (number in `[K * I]`), and the drop when it is masked."""
    layers, width = relevance.shape[1:]
    predicted, actual = [], []
    with torch.no_grad():
        whole = attribute.objective(ids, mask)
        for layer, neuron in (divmod(number, width) for number in chosen):
            one = NeuronSet({"one": {layer: np.array([neuron])}}, layers=layers, site=attribute.site)
            with masked(model, one, "one"):
                actual.append(float((whole - attribute.objective(ids, mask)).mean()))
            predicted.append(float(relevance[:, layer, neuron].mean()))
    return np.array(predicted), np.array(actual)


def assert_agrees(model, batch, site, neurons=30):
    with attribution(model, site=site) as attribute:
        relevance = attribute(*batch)
        chosen = random_neurons(relevance, neurons)
        found = agreement(attribute, relevance, *batch, chosen)
        predicted, actual = one_after_the_other(model, attribute, relevance, *batch, chosen.tolist())
    assert found.neurons == len(predicted)
    assert found.pearson == pytest.approx(pearsonr(predicted, actual).statistic, abs=1e-4)
    assert found.spearman == pytest.approx(spearmanr(predicted, actual).statistic, abs=0.02)
    same = np.mean((predicted > 0) == (actual > 0))
    assert found.same_sign == pytest.approx(same, abs=0.04)  # of neurons whose effect is about 0


@pytest.mark.parametrize("site", SITES)
def test_every_family_as_if_masked_one_after_the_other(any_model, make_batch, site):
    assert_agrees(any_model, make_batch(LENGTHS), site)


@pytest.mark.parametrize("chunk", [1, 100, 8192])
def test_copies_of_any_number_side_by_side(llama, make_batch, monkeypatch, chunk):
    monkeypatch.setattr(crane.relevance.ablation, "CHUNK_TOKENS", chunk)
    assert_agrees(llama, make_batch(LENGTHS), "intermediate", neurons=10_000)


def test_the_choice_is_seeded():
    relevance = torch.zeros(2, 3, 48)
    one, again, other = (random_neurons(relevance, 20, seed) for seed in (0, 0, 1))
    assert one.tolist() == again.tolist() != other.tolist() and len(set(one.tolist())) == 20
    assert sorted(random_neurons(relevance, 1000).tolist()) == list(range(144))


def test_no_hook_is_left(llama, make_batch):
    ids, mask = make_batch(LENGTHS)
    with attribution(llama) as attribute:
        relevance = attribute(ids, mask)
        before = [len(module._forward_pre_hooks) for module in llama.modules()]
        agreement(attribute, relevance, ids, mask, random_neurons(relevance, 20))
        assert [len(module._forward_pre_hooks) for module in llama.modules()] == before
