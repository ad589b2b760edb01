"""The self-test passes on every family, stops a run whose rules are broken, and needs little memory."""

import gc
from contextlib import nullcontext

import crane.relevance.attribution
import crane.relevance.lrp
import crane.relevance.selftest
import pytest
import torch
from crane.models.architectures import mlps
from crane.models.families import FAMILIES
from crane.relevance.attribution import Attribution, RelevanceError
from crane.relevance.lrp import RULES
from crane.relevance.recorder import Recorder
from crane.relevance.selftest import self_test

INSIDE = "relevance is not conserved inside an MLP"
AT_NORMS = "relevance is not conserved in a norm"


@pytest.fixture
def probe(make_batch):
    return make_batch([11, 4, 8])


def test_passes_on_every_family(every_model, probe):
    measured = self_test(every_model, *probe)
    assert measured["tolerance"] == 1e-5
    assert measured["patched logits differ from unpatched"] == 0
    assert measured["the objective's logits differ from the model's"] <= 1e-6
    assert measured["batched relevance differs from one by one"] <= 1e-5
    assert len(measured["share of the objective in the residual stream"]) == 2
    assert measured["masking single neurons: neurons"] >= 144
    gated = all(mlp.gated for mlp in mlps(every_model))
    assert ("relevance at gate or up is not half of the intermediate's" in measured) == gated
    assert measured[INSIDE] <= 1e-5 and measured[AT_NORMS] <= 1e-5


LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 500.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        (
            "llama",
            {"rope_parameters": LLAMA3_ROPE},
        ),  # Llama 3.1; the small ones of 3.2 tie their embeddings, too
        ("qwen2", {}),  # the small ones of Qwen2.5
        ("gemma2", {}),  # all Gemmas as published
    ],
)
def test_passes_with_tied_embeddings(make_model, probe, family, settings):
    model = make_model(family, tie_word_embeddings=True, **settings)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    self_test(model, *probe)


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("site", ["intermediate", "residual_write"])
def test_passes_with_every_rule_set_and_site(llama, probe, rules, site):
    measured = self_test(llama, *probe, rules=rules, site=site)
    assert (INSIDE in measured) == (rules != "input_x_gradient")


def test_passes_in_bfloat16(every_model, probe):
    assert self_test(every_model.bfloat16(), *probe)["tolerance"] == 5e-2


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
        return (
            max(found) - before - 2 * layers * 48
        )  # the sums of values of all layers, and as they were before

    assert kept(6) == kept(2) == 3 * 11 * 48


def test_masking_the_model_for_the_probe_leaves_no_trace(llama, probe):
    before = {name: p.clone() for name, p in llama.named_parameters()}
    self_test(llama, *probe)
    assert all(torch.equal(p, before[name]) for name, p in llama.named_parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in llama.modules())


def test_a_rule_set_that_does_nothing_is_noticed(monkeypatch, llama, probe):
    for module in (crane.relevance.attribution, crane.relevance.selftest):
        monkeypatch.setattr(module, "lrp_rules", lambda *options: nullcontext())
    with pytest.raises(RelevanceError, match=r"conserved inside an MLP|half of the intermediate") as caught:
        self_test(llama, *probe)
    assert "allowed 1e-05" in str(caught.value)
    assert "float32" in str(caught.value)


def test_cp_lrp_in_the_place_of_attnlrp_is_noticed(monkeypatch, llama, probe):
    real = crane.relevance.attribution.lrp_rules
    monkeypatch.setattr(
        crane.relevance.attribution, "lrp_rules", lambda model, *options: real(model, "cp_lrp")
    )
    with pytest.raises(RelevanceError, match="half of the intermediate"):
        self_test(llama, *probe)


@pytest.mark.parametrize("rules", ["attnlrp", "cp_lrp"])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_biases_absorb_exactly_their_share(make_model, probe, monkeypatch, family, rules):
    model = make_model(family, **({"mlp_bias": True} if family == "llama" else {}))
    assert self_test(model, *probe, rules=rules)[INSIDE] <= 1e-5
    monkeypatch.setattr(Recorder, "bias_share", lambda self, name, layer: 0.0)
    with pytest.raises(RelevanceError, match=INSIDE):
        self_test(model, *probe, rules=rules)


@pytest.mark.parametrize("name", ["c_fc", "c_proj"])
def test_one_bias_that_is_left_out_is_noticed(make_model, probe, monkeypatch, name):
    model = make_model("gpt2")
    real = Recorder.bias_share
    place = {"c_fc": "up", "c_proj": "mlp_output"}[name]
    monkeypatch.setattr(
        Recorder,
        "bias_share",
        lambda self, at, layer: 0.0 if (at, layer) == (place, 1) else real(self, at, layer),
    )
    with pytest.raises(RelevanceError, match=INSIDE):
        self_test(model, *probe)


@pytest.mark.parametrize("name", ["gate_proj", "up_proj"])
def test_a_gate_or_up_without_gradient_is_noticed(llama, probe, name):
    llama.model.layers[1].mlp.get_submodule(name).register_forward_hook(lambda _, inputs, out: out.detach())
    with pytest.raises(RelevanceError, match="half of the intermediate's by nan"):
        self_test(llama, *probe)


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

    monkeypatch.setattr(crane.relevance.selftest, "lrp_rules", Shift)
    with pytest.raises(RelevanceError, match="patched logits differ"):
        self_test(llama, *probe)


@pytest.mark.parametrize("family", ["llama", "gemma", "gpt2"])
def test_norms_without_their_rule_are_noticed(make_model, probe, monkeypatch, family):
    """The plain gradient of a norm gives its input almost no relevance, as its scale follows the input."""
    monkeypatch.setattr(crane.relevance.lrp, "frozen_scale", lambda x, original, norm: original(x))
    with pytest.raises(RelevanceError, match=AT_NORMS):
        self_test(make_model(family), *probe)


def test_a_norm_of_the_wrong_kind_is_noticed(make_model, probe, monkeypatch):
    """No logit shows it, as the forward pass is the original."""
    model = make_model("gemma")
    monkeypatch.setitem(FAMILIES, "gemma", FAMILIES["gemma"]._replace(norm="rms"))
    with pytest.raises(RelevanceError, match=AT_NORMS):
        self_test(model, *probe)
