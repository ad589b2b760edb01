"""Masks of experts' neurons: zeroed weights equal zeroed values, and come back bit by bit."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from crane.models.architectures import blocks, shape
from crane.models.experts import gate_of, open_gates
from crane.models.families import FAMILIES, groups_of
from crane.models.loading import load_model
from crane.neurons.interventions import masked
from crane.neurons.masked_checkpoint import export_masked
from crane.neurons.neuron_set import NeuronSet


def random_set(model, seed=0):
    """Return random neurons, none in layer 1."""
    flags = np.random.default_rng(seed).random((1, *shape(model))) < 0.2
    flags[0, 1] = False
    return NeuronSet.from_flags(flags, ["en"])


@contextmanager
def changed_by_loops(model, neurons, change):
    """Change values where they are computed, row by row: `change(value, layer, neuron)`."""
    groups, handles = groups_of(model.config), []

    def in_experts(k, gate, inputs, values):
        values = values.clone()
        for row, expert in enumerate(gate.routing.expert.tolist()):
            for n in neurons["en"][k]:
                if n // groups.width == expert and n < groups.routed:
                    values[row, n % groups.width] = change(values[row, n % groups.width], k, n)
        return values

    def in_mlp(k, inputs):
        values = inputs[0].clone()
        for n in neurons["en"][k]:
            if n >= groups.routed:
                values[..., n - groups.routed] = change(values[..., n - groups.routed], k, n)
        return (values,)

    with open_gates(model):
        for k, block in enumerate(blocks(model)):
            gate = gate_of(block.experts)
            handles.append(gate.register_forward_hook(lambda *args, k=k: in_experts(k, *args)))
            if block.mlp is not None:
                handles.append(block.mlp.down.register_forward_pre_hook(lambda _, x, k=k: in_mlp(k, x)))
        yield
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [0.0, 0.5])
@torch.no_grad()
def test_weights_equal_values(with_experts, make_batch, dtype, scale):
    model = with_experts.to(dtype)
    ids, _ = make_batch([9, 9])
    neurons, before = random_set(model), {n: p.clone() for n, p in model.named_parameters()}
    plain = model(input_ids=ids).logits
    with masked(model, neurons, "en", scale=scale):
        changed = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
        by_weights = model(input_ids=ids).logits
    with changed_by_loops(model, neurons, lambda value, k, n: value * scale):
        by_values = model(input_ids=ids).logits
    # Powers of two change no other bit of a product.
    torch.testing.assert_close(by_weights, by_values, rtol=0, atol=1e-5 if dtype == torch.float32 else 0.1)
    assert (by_weights - plain).abs().max() > 1e-2
    assert all(torch.equal(p, before[n]) for n, p in model.named_parameters())
    assert torch.equal(model(input_ids=ids).logits, plain)
    # The second linear layers of the two layers with a mask, and nothing else.
    down = ["mlp.experts.down_proj"]
    if FAMILIES[model.config.model_type].shared:
        down.append("mlp.shared_expert.down_proj.weight")
    assert changed == {f"model.layers.{k}.{name}" for k in (0, 2) for name in down}


@torch.no_grad()
def test_every_single_neuron_has_its_place(make_model, make_batch):
    """The mask of one neuron changes one row of one expert, whose number is its own."""
    for family in ("mixtral", "gpt_oss", "qwen2_moe"):
        model = make_model(family)
        groups, block = groups_of(model.config), blocks(model)[1]
        for neuron in (0, 17, groups.routed - 1, *([groups.routed + 3] if groups.shared else [])):
            before = block.experts.written().clone()
            with masked(model, NeuronSet({"xx": {1: np.array([neuron])}}, layers=3), "xx"):
                rows = (block.experts.written() != before).any(2).nonzero().tolist()
                if neuron < groups.routed:
                    assert rows == [list(divmod(neuron, groups.width))]
                else:
                    assert rows == []
                    column = block.mlp.down.weight[:, neuron - groups.routed]
                    assert (column == 0).all()
        beyond = NeuronSet({"xx": {1: np.array([groups.neurons])}}, layers=3)
        with pytest.raises(ValueError, match=f"{groups.neurons} does not exist"), masked(model, beyond, "xx"):
            pass


@pytest.mark.parametrize("implementation", ["grouped_mm", "batched_mm"])
@torch.no_grad()
def test_fixed_values_equal_loops(with_experts, make_batch, implementation):
    """Also in the order of rows that `generate` takes on a GPU."""
    ids, _ = make_batch([9, 9])
    neurons = random_set(with_experts)
    values = np.random.default_rng(1).normal(size=shape(with_experts))
    plain = with_experts(input_ids=ids).logits
    with masked(with_experts, neurons, "en", values=values):
        with_experts.set_experts_implementation(implementation)
        found = with_experts(input_ids=ids).logits
    with_experts.set_experts_implementation("grouped_mm")
    with changed_by_loops(with_experts, neurons, lambda value, k, n: torch.tensor(values[k, n]).float()):
        expected = with_experts(input_ids=ids).logits
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (found - plain).abs().max() > 1e-2
    assert torch.equal(with_experts(input_ids=ids).logits, plain)


def test_the_checkpoint_is_the_masked_model(with_experts, make_batch, tokenizer, tmp_path):
    with_experts.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    neurons, (ids, _) = random_set(with_experts), make_batch([7])
    manifest = export_masked(tmp_path / "model", tmp_path / "out", neurons, "en", {})
    assert manifest["masked"]["neurons"] == neurons.total("en")
    exported = load_model(tmp_path / "out")
    with torch.no_grad(), masked(with_experts, neurons, "en"):
        own = dict(with_experts.named_parameters())
        assert all(torch.equal(p, own[name]) for name, p in exported.named_parameters())
        # Products depend on where a weight lies in memory, by their last bits.
        torch.testing.assert_close(exported(ids).logits, with_experts(ids).logits, rtol=1e-5, atol=1e-5)
