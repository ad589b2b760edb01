"""A mask by zeroed weights equals a mask by hooks, and the weights come back bit by bit."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from crane.models.architectures import SITES, mlps, shape, width
from crane.models.families import FAMILIES, UnsupportedModelError
from crane.neurons.interventions import masked
from crane.neurons.neuron_set import NeuronSet


def random_set(model, site, seed=0):
    """Return two languages' random neurons, one of them without any in layer 1."""
    layers, neurons = shape(model, site)
    flags = np.random.default_rng(seed).random((2, layers, neurons)) < 0.2
    flags[1, 1] = False
    return NeuronSet.from_flags(flags, ["en", "vi"], site)


@contextmanager
def masked_by_hooks(model, neurons, language, scale) -> Iterator[None]:
    """Scale the neurons' outputs where they are computed."""

    def multiply(values, index):
        values = values.clone()
        values[..., index] *= scale
        return values

    handles = []
    for k, mlp in enumerate(mlps(model)):
        index = torch.from_numpy(neurons[language].get(k, np.empty(0, np.int64)))
        if neurons.site == "intermediate":
            hook = mlp.down.register_forward_pre_hook(lambda _, args, i=index: (multiply(args[0], i),))
        else:
            hook = mlp.down.register_forward_hook(lambda _, args, output, i=index: multiply(output, i))
        handles.append(hook)
    yield
    for handle in handles:
        handle.remove()


def weights(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def unchanged(model, before):
    return all(torch.equal(p, before[name]) for name, p in model.named_parameters())


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("scale", [0.0, 0.3, 2.0])
@torch.no_grad()
def test_weights_equal_hooks(any_model, make_batch, site, scale):
    ids, mask = make_batch([12, 7])
    neurons = random_set(any_model, site)
    before, plain = weights(any_model), any_model(input_ids=ids, attention_mask=mask).logits
    for language in neurons:
        with masked(any_model, neurons, language, scale=scale):
            by_weights = any_model(input_ids=ids, attention_mask=mask).logits
        with masked_by_hooks(any_model, neurons, language, scale):
            by_hooks = any_model(input_ids=ids, attention_mask=mask).logits
        assert (by_weights - plain).abs().max() > 1e-2
        torch.testing.assert_close(by_weights, by_hooks, rtol=1e-4, atol=1e-4)
    assert unchanged(any_model, before)
    assert torch.equal(any_model(input_ids=ids, attention_mask=mask).logits, plain)


@contextmanager
def fixed_by_hand(model, neurons, language, values) -> Iterator[None]:
    """Take out what the neurons write, by zeroed weights, and add what they write at their fixed values."""
    added = []
    for k, mlp in enumerate(mlps(model)):
        index = torch.from_numpy(neurons[language].get(k, np.empty(0, np.int64)))
        fixed = torch.from_numpy(values[k]).float()[index]
        if neurons.site == "intermediate":
            weight = mlp.down.weight if mlp.down.weight.shape[1] == values.shape[1] else mlp.down.weight.T
            written = (weight[:, index] * fixed).sum(1)
        else:
            written = torch.zeros(values.shape[1])
            written[index] = fixed
        written = written.detach().clone()
        added.append(mlp.down.register_forward_hook(lambda _, args, output, w=written: output + w))
    with masked(model, neurons, language):
        yield
    for handle in added:
        handle.remove()


@pytest.mark.parametrize("site", SITES)
@torch.no_grad()
def test_fixed_values_equal_zeroed_weights_and_an_addition(any_model, make_batch, site):
    ids, mask = make_batch([12, 7])
    neurons = random_set(any_model, site)
    values = np.random.default_rng(1).normal(size=shape(any_model, site))
    before, plain = weights(any_model), any_model(input_ids=ids, attention_mask=mask).logits
    for language in neurons:
        with masked(any_model, neurons, language, values=values):
            assert unchanged(any_model, before)
            by_hook = any_model(input_ids=ids, attention_mask=mask).logits
        with masked(any_model, neurons, language, values=np.zeros_like(values)):
            at_zero = any_model(input_ids=ids, attention_mask=mask).logits
        with masked(any_model, neurons, language):
            zeroed = any_model(input_ids=ids, attention_mask=mask).logits
        with fixed_by_hand(any_model, neurons, language, values):
            by_hand = any_model(input_ids=ids, attention_mask=mask).logits
        torch.testing.assert_close(by_hook, by_hand, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(at_zero, zeroed, rtol=1e-4, atol=1e-4)
        assert (by_hook - zeroed).abs().max() > 1e-2
    assert torch.equal(any_model(input_ids=ids, attention_mask=mask).logits, plain)


def test_values_of_another_model_are_refused_and_an_error_removes_the_hooks(llama, make_batch):
    ids, mask = make_batch([5])
    neurons = random_set(llama, "intermediate")
    message = r"values of shape \(3, 7\); the model has 3 x 48"
    with pytest.raises(ValueError, match=message), masked(llama, neurons, "en", values=np.zeros((3, 7))):
        pass
    plain = llama(input_ids=ids, attention_mask=mask).logits
    with pytest.raises(RuntimeError), masked(llama, neurons, "en", values=np.ones((3, 48))):
        raise RuntimeError
    assert torch.equal(llama(input_ids=ids, attention_mask=mask).logits, plain)


@pytest.mark.parametrize("site", SITES)
def test_only_the_neurons_parameters_change(any_model, site):
    neurons, before = random_set(any_model, site), weights(any_model)
    with masked(any_model, neurons, "vi"):
        changed = {name for name, p in any_model.named_parameters() if not torch.equal(p, before[name])}
    down = FAMILIES[any_model.config.model_type].down
    assert {name.rsplit(".", 2)[1] for name in changed} == {down}
    masked_layers = [layer for layer, indices in neurons["vi"].items() if len(indices)]
    assert len({name.rsplit(down, 1)[0] for name in changed}) == len(masked_layers) > 0


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_restored_after_an_error(llama, error):
    before = weights(llama)
    with pytest.raises(error), masked(llama, random_set(llama, "intermediate"), "en"):
        assert not unchanged(llama, before)
        raise error
    assert unchanged(llama, before)


def test_restored_bit_by_bit_where_arithmetic_would_not(llama):
    llama.bfloat16()
    with torch.no_grad():
        llama.model.layers[0].mlp.down_proj.weight[0, :3] = torch.tensor([-0.0, 1e-39, 3.0])
    before = weights(llama)
    everything = NeuronSet.from_flags(np.ones((1, 3, 48), bool), ["en"])
    with masked(llama, everything, "en", scale=0.1):
        pass
    after = llama.model.layers[0].mlp.down_proj.weight
    old = before["model.layers.0.mlp.down_proj.weight"]
    assert torch.equal(after.view(torch.int16), old.view(torch.int16))


def test_masks_can_be_nested(llama):
    before, neurons = weights(llama), random_set(llama, "intermediate")
    with masked(llama, neurons, "en"):
        inside = weights(llama)
        with masked(llama, neurons, "vi"):
            pass
        assert unchanged(llama, inside)
    assert unchanged(llama, before)


def test_an_empty_mask_changes_nothing(llama):
    before = weights(llama)
    empty = NeuronSet({"en": {}, "vi": {0: np.empty(0, np.int64)}}, layers=3)
    for language in empty:
        with masked(llama, empty, language):
            assert unchanged(llama, before)


def test_masking_needs_no_gradient_bookkeeping(llama):
    with masked(llama, random_set(llama, "intermediate"), "en"):
        assert all(p.requires_grad and p.is_leaf for p in llama.parameters())


def test_what_is_outside_the_model_is_refused(llama):
    before = weights(llama)
    neurons = random_set(llama, "intermediate")
    with pytest.raises(KeyError, match=r"'zh'.*en, vi"), masked(llama, neurons, "zh"):
        pass
    deep = NeuronSet({"en": {0: np.array([1]), 5: np.array([1])}}, layers=8)
    with pytest.raises(ValueError, match="made for 8 layers, the model has 3"), masked(llama, deep, "en"):
        pass
    for site in SITES:
        wide = NeuronSet({"en": {0: np.array([1]), 2: np.array([0, width(llama, site)])}}, 3, site)
        with (
            pytest.raises(ValueError, match=rf"neuron {width(llama, site)} does not exist"),
            masked(llama, wide, "en"),
        ):
            pass
    assert unchanged(llama, before)


@pytest.mark.parametrize("kind", ["integer", "buffer"])
def test_weights_that_cannot_be_masked_are_refused(llama, kind):
    down = llama.model.layers[1].mlp.down_proj
    if kind == "integer":
        down.weight = torch.nn.Parameter(down.weight.to(torch.int8), requires_grad=False)
    else:
        weight = down.weight.detach()
        del down.weight
        down.weight = weight
    neurons = NeuronSet.from_flags(np.ones((1, 3, 48), bool), ["en"])
    with pytest.raises(UnsupportedModelError, match="quantised"), masked(llama, neurons, "en"):
        pass
