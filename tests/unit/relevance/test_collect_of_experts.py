"""From samples to statistics of experts: batches and sweeps, and what is kept in memory."""

import pytest
import torch
from crane.models.families import groups_of
from crane.relevance.attribution import attribution
from crane.relevance.collect import collect, padded
from crane.relevance.memory import Fit
from crane.relevance.moments import Moments
from crane.relevance.placement import shape_of
from crane.relevance.sweep import layer_sweep


@pytest.fixture
def samples():
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(4, 140, (n,), generator=generator) for n in (5, 12, 7, 12, 3, 9, 4, 12, 6, 2)]


def collected(model, samples, fit, **options):
    with attribution(model, **options) as attribute:
        return collect(attribute, samples, fit).statistics


def test_statistics_equal_those_of_single_samples(with_experts, samples):
    found = collected(with_experts, samples, Fit(24), skip_first=True)
    groups, singles = groups_of(with_experts.config), []
    with attribution(with_experts, skip_first=True) as attribute:
        for sample in samples:
            singles.append((attribute(*padded([sample], "cpu"))[0], groups.spread(attribute.seen[0][0]) > 0))
    relevance, routed = (torch.stack(values) for values in zip(*singles, strict=True))
    assert found.moments.n.shape == found.active.shape == (3, groups.neurons)
    assert found.routed.total == len(samples) and torch.equal(found.moments.n, routed.sum(0).double())
    assert (relevance[~routed] == 0).all()
    for name in ("mean", "m2", "minimum", "maximum"):
        one = getattr(Moments.from_routed(relevance, routed), name)
        torch.testing.assert_close(getattr(found.moments, name), one, rtol=1e-3, atol=1e-7)
    whole, expected = found.moments.with_zeros(len(samples)), Moments.from_batch(relevance)
    torch.testing.assert_close(whole.mean, expected.mean, rtol=1e-3, atol=1e-7)
    torch.testing.assert_close(whole.m2, expected.m2, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sweeps_are_bit_for_bit_the_pass_through_the_whole_model(make_model, samples, dtype):
    model = make_model("qwen2_moe").to(dtype)
    whole = collected(model, samples, Fit(24))
    with layer_sweep(model, device="cpu", resident=1) as sweep:
        found = collected(model, samples, Fit(24, 50), passing=sweep)
    for one, two in ((found.moments, whole.moments), (found.routed[1:4], whole.routed[1:4])):
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert torch.equal(found.active, whole.active) and torch.equal(found.value_sum, whole.value_sum)


def test_when_memory_runs_out_nothing_is_counted_twice(make_model, samples):
    model = make_model("mixtral")
    expected = collected(model, samples, Fit(12))
    calls = []

    def run_out(module, inputs):
        if torch.is_grad_enabled() and inputs[0].shape[0] * inputs[0].shape[1] > 12:
            calls.append(1)
            raise torch.OutOfMemoryError("no memory")

    with model.model.layers[2].mlp.register_forward_pre_hook(run_out):
        found = collected(model, samples, Fit(24))
    assert calls
    for one, two in ((found.moments, expected.moments), (found.routed[1:4], expected.routed[1:4])):
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert found.routed.total == len(samples)


def test_temporary_tensors_are_those_of_one_layer(monkeypatch, make_model, samples):
    """What is reduced at once is one layer, and only that layer's neurons."""
    shapes, real = [], Moments.from_routed.__func__
    monkeypatch.setattr(
        Moments, "from_routed", classmethod(lambda cls, x, r: shapes.append(x.shape) or real(cls, x, r))
    )
    collected(make_model("mixtral"), samples, Fit(24))
    assert {shape[1:] for shape in shapes} == {(96,)}


def test_memory_is_planned_with_the_neurons_that_a_token_passes(make_model):
    size = shape_of(make_model("qwen2_moe"))
    assert (size.intermediate, size.neurons) == (2 * 16 + 24, 6 * 16 + 24)
    dense = shape_of(make_model("llama"))
    assert (dense.intermediate, dense.neurons) == (48, 48)
    # Neurons are reduced in all layers, and the others' values are never computed.
    more = size._replace(neurons=2 * size.neurons)
    assert more.bytes_whole(100, 2) > size.bytes_whole(100, 2) > size._replace(neurons=0).bytes_whole(100, 2)
