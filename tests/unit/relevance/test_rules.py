"""Rules on single tensors: finite where LXT's are not, equal to them elsewhere."""

from functools import partial

import pytest
import torch
from crane.models.architectures import norms
from crane.relevance import rules
from transformers.activations import ACT2FN


def gradients(function, *inputs, given):
    inputs = [x.detach().clone().requires_grad_() for x in inputs]
    output = function(*inputs)
    output.backward(given)
    return output.detach(), [x.grad for x in inputs]


@pytest.fixture
def tensors():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(64, 50, generator=generator, dtype=torch.float64) for _ in range(3)]


@pytest.mark.parametrize(
    "name", ["silu", "swish", "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "mish"]
)
def test_the_gated_product_equals_lxts_rules_one_after_the_other(tensors, name):
    gate, up, given = tensors
    activation = ACT2FN[name]
    found, ours = gradients(lambda g, u: rules.gated_product(g, u, activation), gate, up, given=given)
    expected, theirs = gradients(
        lambda g, u: rules.uniform(rules.identity(activation, g) * u, 2), gate, up, given=given
    )
    assert torch.equal(found, expected)
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["silu", "gelu", "gelu_pytorch_tanh", "relu"])
def test_gates_at_and_near_zero_are_finite(name, dtype):
    gate = torch.tensor([0.0, -0.0, -1e-10, 1e-10, -1e-30, 1e-38, 1e-8, -100.0, 100.0], dtype=dtype)
    up = torch.full_like(gate, 3.0)
    _, (at_gate, at_up) = gradients(
        lambda g, u: rules.gated_product(g, u, ACT2FN[name]), gate, up, given=torch.ones_like(gate)
    )
    assert torch.isfinite(at_gate).all()
    assert torch.isfinite(at_up).all()
    if name != "relu":
        assert torch.allclose(
            at_gate[:7].float(), torch.full((7,), 0.75), rtol=1e-6
        )  # q(0) = 1/2, of it half


def test_the_gated_product_keeps_gate_and_up_alone():
    kept = []
    gate, up = (torch.ones(2, 5, requires_grad=True) for _ in range(2))
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        rules.gated_product(gate, up, ACT2FN["silu"])
    assert [x is y for x, y in zip(kept, (gate, up), strict=True)] == [True, True]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_norm_conserves_relevance_but_for_its_bias(every_model, dtype):
    """Value x gradient sums to the same before and behind it, and its output is its own."""
    every_model.to(dtype)
    generator = torch.Generator().manual_seed(1)
    for norm in norms(every_model):
        shape = (4, 6, *norm.module.weight.shape)
        x, given = (torch.randn(shape, generator=generator).to(dtype) for _ in range(2))
        output, (gradient,) = gradients(
            partial(rules.frozen_scale, original=norm.module.forward, norm=norm), x, given=given
        )
        with torch.no_grad():
            assert torch.equal(output, norm.module(x))
        bias = getattr(norm.module, "bias", None)
        kept = 0.0 if bias is None else (bias * given).sum()
        at_output = (output * given).double().sum()
        error = (x * gradient).double().sum() + kept - at_output
        assert error.abs() / (output * given).double().abs().sum() < {torch.bfloat16: 2e-3}.get(dtype, 1e-7)


def test_a_norm_keeps_one_number_per_position(llama):
    kept = []
    norm = norms(llama)[0]
    x = torch.ones(2, 5, 32, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        rules.frozen_scale(x, norm.module.forward, norm)
    assert [tuple(tensor.shape) for tensor in kept] == [(2, 5, 1), (32,)]


def test_a_norm_whose_kind_is_wrong_loses_relevance(make_model):
    """What tells the kinds apart: the value never shows it, since the forward pass is the original."""
    norm = norms(make_model("gemma"))[0]
    wrong = norm._replace(kind="rms")
    x, given = (torch.randn(4, 6, 32, generator=torch.Generator().manual_seed(2)) for _ in range(2))
    output, (gradient,) = gradients(
        partial(rules.frozen_scale, original=norm.module.forward, norm=wrong), x, given=given
    )
    assert ((x * gradient).sum() - (output * given).sum()).abs() > 0.01 * (output * given).abs().sum()


def test_no_rule_of_lxt_is_needed_to_import(monkeypatch):
    rules._lxt.cache_clear()
    monkeypatch.setattr(rules, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="make install"):
        rules.stop(torch.ones(1))
    monkeypatch.undo()
    assert not rules.stop(torch.ones(1, requires_grad=True)).requires_grad
