"""The first-order effect against what happens when a neuron is moved a little towards its ablation."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from crane.models.architectures import mlps
from crane.relevance.attribution import attribution
from crane.selection.choose import choose, columns
from crane.selection.methods.attribution import mean_ablation, scores
from support.neurons import LANGUAGES, flags
from support.statistics import statistics

OPTIONS = {"rules": "input_x_gradient", "objective": "next_token_logprob", "accumulators": ["gradients"]}


@contextmanager
def moved(model, layer, neuron, towards, share):
    """Move a neuron's value by a share of the way to another one, at every token."""

    def move(module, inputs):
        values = inputs[0].clone()
        values[..., neuron] += share * (towards - values[..., neuron])
        return (values,)

    handle = mlps(model)[layer].down.register_forward_pre_hook(move)
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize("ablation", ["zero", "mean"])
def test_it_is_the_derivative_of_the_drop(llama, make_batch, ablation):
    """One language alone: its own mean is the pooled one."""
    batch = make_batch([9, 12, 7, 5])
    with attribution(llama, **OPTIONS) as attribute:
        relevance = attribute(*batch).double().mean(0)[None].numpy()
        gradient = (attribute.further.grids["gradient_sum"] / 4)[None].numpy()
        mean = (attribute.value_sum / attribute.counted)[None].numpy()
        effect = relevance if ablation == "zero" else mean_ablation(relevance, gradient, mean)
        towards = np.zeros_like(mean) if ablation == "zero" else mean
        strongest = np.argsort(-np.abs(effect[0]), axis=None)[:4]
        with torch.no_grad():
            whole = attribute.objective(*batch).double()
            for layer, neuron in zip(*np.unravel_index(strongest, effect[0].shape), strict=True):
                quotients = []
                for share in (0.3, 0.03):
                    with moved(llama, layer, neuron, float(towards[0, layer, neuron]), share):
                        drop = (whole - attribute.objective(*batch).double()).mean()
                    quotients.append(float(drop) / share)
                expected = effect[0, layer, neuron]
                assert quotients[1] == pytest.approx(expected, rel=0.03, abs=1e-5)


def test_a_linear_effect_is_the_drop_itself():
    """f = sum_t w a_t: what zero and mean ablation cost is known without a model."""
    rng = np.random.default_rng(0)
    a, w = rng.normal(size=(3, 50, 2, 20)), rng.normal(size=(2, 20))
    value = a.mean(1)
    gradient = np.broadcast_to(50 * w, value.shape)
    relevance = (w * a).sum(1)
    table = statistics(mean=relevance, mean_gradient=gradient, mean_value=value)
    zero = scores(table, LANGUAGES, {"effect": "zero"})
    np.testing.assert_allclose(zero, (w * a).sum(1), rtol=1e-12)
    pooled = scores(table, LANGUAGES, {"effect": "mean"})
    np.testing.assert_allclose(pooled, (w * (a - value.mean(0))).sum(1), atol=1e-12)
    others = np.stack([np.delete(value, row, 0).mean(0) for row in range(3)])
    found = scores(table, LANGUAGES, {"effect": "mean", "of": "others"})
    np.testing.assert_allclose(found, (w * (a - others[:, None])).sum(1), atol=1e-12)


def test_the_largest_drop_against_the_highest_other_one_is_chosen():
    effect = np.random.default_rng(1).normal(size=(3, 2, 20))
    settings = {"method": "attribution", "effect": "zero", "normalise": "none", "rule": "margin",
                "budget": {"count": 3}}  # fmt: skip
    assert columns(settings)[3:] == ["mean"]
    chosen = flags(choose(statistics(mean=effect), settings, LANGUAGES)[0], effect.shape)
    for row in range(3):
        margin = effect[row] - np.delete(effect, row, 0).max(0)
        assert set(np.flatnonzero(chosen[row])) == set(np.argsort(-margin, axis=None)[:3])
