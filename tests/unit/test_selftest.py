"""The self-test passes on every family and stops a run whose rules are broken."""

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


def test_a_batch_that_mixes_samples_is_noticed(monkeypatch, llama, probe):
    real = Attribution.__call__

    def mixed(self, input_ids, attention_mask):
        relevance = real(self, input_ids, attention_mask)
        return relevance + 1e-2 * relevance.mean(0) if len(relevance) > 1 else relevance

    monkeypatch.setattr(Attribution, "__call__", mixed)
    with pytest.raises(RelevanceError, match="one by one"):
        self_test(llama, *probe)


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
