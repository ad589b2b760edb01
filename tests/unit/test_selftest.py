"""The self-test passes on every family, stops a run whose rules are broken, and needs little memory."""

import gc
from contextlib import nullcontext

import crane.relevance
import crane.selftest
import pytest
import torch
from crane.lrp import RULES
from crane.relevance import Attribution, RelevanceError
from crane.selftest import self_test


@pytest.fixture
def probe(make_batch):
    return make_batch([11, 4, 8])


def test_passes_on_every_family(any_model, probe):
    measured = self_test(any_model, *probe)
    assert measured["tolerance"] == 1e-5
    assert measured["patched logits differ from unpatched"] <= 1e-5
    assert measured["batched relevance differs from one by one"] <= 1e-5
    assert len(measured["share of the objective in the residual stream"]) == 2
    assert -1 <= measured["correlation of predicted and actual change"] <= 1
    gated = any_model.config.model_type != "gpt2"
    assert ("relevance at gate or up is not half of the intermediate's" in measured) == gated
    # GPT-2's MLP has biases, which absorb relevance: nothing is promised there.
    assert ("relevance is not conserved inside an MLP" in measured) == gated


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("site", ["intermediate", "residual_write"])
def test_passes_with_every_rule_set_and_site(llama, probe, rules, site):
    measured = self_test(llama, *probe, rules=rules, site=site)
    assert ("relevance is not conserved inside an MLP" in measured) == (rules != "input_x_gradient")


def test_passes_in_bfloat16(llama, probe):
    assert self_test(llama.bfloat16(), *probe)["tolerance"] == 5e-2


def _float64_numbers() -> int:
    tensors = (x for x in gc.get_objects() if type(x) is torch.Tensor and x.dtype == torch.float64)
    return sum(x.numel() for x in tensors if x.ndim)


def test_only_one_layer_is_kept_at_a_time(make_model, probe):
    def kept(layers: int) -> int:
        """Numbers in float64 tensors when the last gradients of the backward pass arrive."""
        model = make_model("llama", num_hidden_layers=layers)
        found = []

        def watch(module, inputs, output):
            if output.requires_grad:
                output.register_hook(lambda gradient: found.append(_float64_numbers()))

        # Of layer 0, when every layer above it was recorded and its own intermediate is still needed.
        model.model.layers[0].mlp.gate_proj.register_forward_hook(watch)
        gc.collect()
        before = _float64_numbers()  # what other tests left
        self_test(model, *probe)
        return max(found) - before

    assert kept(6) == kept(2) == 3 * 11 * 48


def test_masking_the_model_for_the_probe_leaves_no_trace(llama, probe):
    before = {name: p.clone() for name, p in llama.named_parameters()}
    self_test(llama, *probe)
    assert all(torch.equal(p, before[name]) for name, p in llama.named_parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in llama.modules())


def test_a_rule_set_that_does_nothing_is_noticed(monkeypatch, llama, probe):
    for module in (crane.relevance, crane.selftest):
        monkeypatch.setattr(module, "lrp_rules", lambda model, rules: nullcontext())
    with pytest.raises(RelevanceError, match=r"conserved inside an MLP|half of the intermediate") as caught:
        self_test(llama, *probe)
    assert "allowed 1e-05" in str(caught.value)
    assert "float32" in str(caught.value)


def test_cp_lrp_in_the_place_of_attnlrp_is_noticed(monkeypatch, llama, probe):
    real = crane.relevance.lrp_rules
    monkeypatch.setattr(crane.relevance, "lrp_rules", lambda model, rules: real(model, "cp_lrp"))
    with pytest.raises(RelevanceError, match="half of the intermediate"):
        self_test(llama, *probe)


@pytest.mark.parametrize("name", ["gate_proj", "up_proj"])
def test_a_gate_or_up_without_gradient_is_noticed(make_model, probe, name):
    model = make_model("llama", mlp_bias=True)  # with biases, conservation is not asked for
    model.model.layers[1].mlp.get_submodule(name).register_forward_hook(lambda _, inputs, out: out.detach())
    with pytest.raises(RelevanceError, match="half of the intermediate's by nan"):
        self_test(model, *probe)


@pytest.mark.parametrize("name", ["gate_proj", "up_proj"])
def test_nan_at_gate_or_up_is_noticed(llama, probe, name):
    def poison(module, inputs, output):
        if output.requires_grad:
            output.register_hook(lambda gradient: gradient.index_fill(1, torch.tensor([2]), torch.nan))

    # Of layer 0: below it nothing has relevance that `attribution` itself would look at.
    llama.model.layers[0].mlp.get_submodule(name).register_forward_hook(poison)
    with pytest.raises(RelevanceError, match="by nan"):
        self_test(llama, *probe)


def shifted(monkeypatch, error):
    """Let the relevance of batches be wrong by `error` of its largest value."""
    real = Attribution.__call__

    def shift(self, input_ids, attention_mask):
        relevance = real(self, input_ids, attention_mask)
        return relevance + error * relevance.abs().max() if len(relevance) > 1 else relevance

    monkeypatch.setattr(Attribution, "__call__", shift)


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 2e-4), (torch.bfloat16, 0.15)])
def test_batched_relevance_that_differs_is_noticed(monkeypatch, llama, probe, dtype, error):
    shifted(monkeypatch, error)
    with pytest.raises(RelevanceError, match="one by one"):
        self_test(llama.to(dtype), *probe)


def test_the_last_bits_of_batched_relevance_may_differ_in_float32(monkeypatch, llama, probe):
    shifted(monkeypatch, 5e-5)
    assert self_test(llama, *probe)["batched relevance differs from one by one"] > 1e-5


def test_patched_logits_that_differ_are_noticed(monkeypatch, llama, probe):
    class Shift:
        def __init__(self, model, rules):
            self.norm = model.model.norm.weight

        def __enter__(self):
            self.norm.data *= 1.01

        def __exit__(self, *error):
            self.norm.data /= 1.01

    monkeypatch.setattr(crane.selftest, "lrp_rules", Shift)
    with pytest.raises(RelevanceError, match="patched logits differ"):
        self_test(llama, *probe)
