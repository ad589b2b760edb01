"""Gates of experts, and models whose experts are refused."""

import numpy as np
import pytest
import torch
from crane.models.architectures import blocks, shape
from crane.models.experts import gate_of, open_gates
from crane.models.families import UnsupportedModelError, groups_of
from crane.neurons.interventions import masked
from crane.neurons.neuron_set import NeuronSet
from crane.relevance.attribution import attribution
from crane.relevance.lrp import lrp_rules
from support.relevance import own_attributes


def test_the_experts_are_restored(with_experts, make_batch):
    before = [dict(vars(module)) for module in with_experts.modules()]
    names, own = [name for name, _ in with_experts.named_modules()], own_attributes(with_experts)
    with pytest.raises(RuntimeError), attribution(with_experts) as attribute:
        attribute(*make_batch([5]))
        assert [name for name, _ in with_experts.named_modules()] == names
        raise RuntimeError
    assert [set(vars(module)) for module in with_experts.modules()] == [set(one) for one in before]
    assert own_attributes(with_experts) == own
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in with_experts.modules())


def test_gates_may_be_opened_again_within(make_model):
    model = make_model("olmoe")
    module = blocks(model)[0].experts.module
    with open_gates(model):
        first = gate_of(blocks(model)[0].experts)
        with lrp_rules(model, "attnlrp"):
            assert gate_of(blocks(model)[0].experts) is first
        assert vars(module)["_apply_gate"] is first
    assert "_apply_gate" not in vars(module)


def test_experts_that_do_not_show_their_neurons_are_refused(make_model):
    model = make_model("mixtral", experts_implementation="eager")
    refused = pytest.raises(UnsupportedModelError, match=r"'eager'.*experts_implementation='grouped_mm'")
    with refused, attribution(model):
        pass


def test_the_residual_stream_has_no_neurons_of_experts(with_experts):
    message = r"outputs of experts are summed.*site: intermediate"
    refused = pytest.raises(UnsupportedModelError, match=message)
    with refused, attribution(with_experts, site="residual_write"):
        pass
    one = NeuronSet({"xx": {0: np.array([1])}}, layers=3, site="residual_write")
    with pytest.raises(UnsupportedModelError, match=message), masked(with_experts, one, "xx"):
        pass


@pytest.mark.parametrize(
    ("family", "setting", "message"),
    [
        ("qwen2_moe", {"mlp_only_layers": [1]}, "layers with experts and layers without"),
        ("qwen3_moe", {"decoder_sparse_step": 2}, "decoder_sparse_step 2"),
        ("olmoe", {"clip_qkv": 8.0}, "clips queries, keys and values"),
    ],
)
def test_what_has_no_rule_or_no_common_width_is_refused(make_model, family, setting, message):
    model = make_model(family)
    vars(model.config).update(setting)
    with pytest.raises(UnsupportedModelError, match=message):
        shape(model)


def test_neurons_are_numbered_by_expert(with_experts):
    groups = groups_of(with_experts.config)
    assert shape(with_experts) == (3, groups.neurons)
    spread = groups.spread(torch.arange(groups.number))
    assert spread.shape == (groups.neurons,)
    assert spread[17] == 1 and spread[groups.routed - 1] == groups.experts - 1
    assert groups.shared == (24 if with_experts.config.model_type == "qwen2_moe" else 0)
