"""Ablations measured side by side equal one masked forward pass per ablation and text."""

import numpy as np
import pytest
import torch
from crane.evaluation.ablation_losses import AblationLosses
from crane.evaluation.batching import TokenBudget
from crane.models.architectures import SITES, mlps, shape
from crane.neurons.ablations import Ablation, draw_ablations
from crane.neurons.interventions import masked
from crane.neurons.neuron_set import NeuronSet

TEXTS = [[5, 9, 20, 33, 7], [3, 4], [8, 30, 41, 12, 60, 77, 2, 9, 15]]


def drawn(model, site):
    layers, width = shape(model, site)
    return draw_ablations(layers, width, neurons=7, groups=3, group_size=5, seed=1)


@torch.no_grad()
def likelihood(model, ids):
    logprobs = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return sum(float(logprobs[place, token]) for place, token in enumerate(ids[1:]))


def one_after_the_other(model, site, ablations):
    lost = []
    for one in ablations:
        neurons = NeuronSet({"one": {one.layer: np.array(one.neurons)}}, layers=len(mlps(model)), site=site)
        whole = [likelihood(model, ids) for ids in TEXTS]
        with masked(model, neurons, "one"):
            lost.append([before - likelihood(model, ids) for before, ids in zip(whole, TEXTS, strict=True)])
    return np.array(lost)


@pytest.mark.parametrize("site", SITES)
def test_every_family_as_if_masked_one_after_the_other(any_model, site):
    ablations = drawn(any_model, site)
    found = AblationLosses(any_model, site, TokenBudget(8 * 14)).lost(ablations, TEXTS)
    wanted = one_after_the_other(any_model, site, ablations)
    assert np.abs(wanted).max() > 0.1
    np.testing.assert_allclose(found, wanted, atol=2e-4)


@pytest.mark.parametrize("tokens", [1, 40, 10_000])
def test_batches_of_any_size_and_ablations_in_any_order(llama, tokens):
    ablations = drawn(llama, "intermediate")[::-1]
    found = AblationLosses(llama, "intermediate", TokenBudget(tokens)).lost(ablations, TEXTS)
    np.testing.assert_allclose(found, one_after_the_other(llama, "intermediate", ablations), atol=2e-4)


def test_a_group_of_one_is_the_neuron_and_nothing_is_left_on_the_model(llama):
    before = {name: weight.clone() for name, weight in llama.state_dict().items()}
    losses = AblationLosses(llama, "intermediate", TokenBudget(200))
    one, alone = losses.lost([Ablation("neuron", 1, (7,)), Ablation("group", 1, (7,))], TEXTS)
    assert one.tolist() == alone.tolist() and np.abs(one).max() > 0
    assert all(torch.equal(weight, before[name]) for name, weight in llama.state_dict().items())
    for module in llama.modules():
        assert "forward" not in vars(module) and not module._forward_pre_hooks and not module._forward_hooks


def test_memory_that_runs_out_halves_the_batches(llama, monkeypatch):
    ablations = drawn(llama, "intermediate")
    wanted = AblationLosses(llama, "intermediate", TokenBudget(400)).lost(ablations, TEXTS)
    losses = AblationLosses(llama, "intermediate", TokenBudget(400))
    own = losses._ablated

    def ablated(together, *arguments):
        if len(together) > 2:
            raise torch.OutOfMemoryError
        return own(together, *arguments)

    monkeypatch.setattr(losses, "_ablated", ablated)
    np.testing.assert_allclose(losses.lost(ablations, TEXTS), wanted, atol=1e-5)
