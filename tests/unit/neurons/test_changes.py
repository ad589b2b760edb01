"""Changes by hooks equal changes by weights and biases, and end without a trace."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from crane.models.architectures import blocks, mlps, shape, write_weights
from crane.models.experts import gate_of, open_gates
from crane.models.families import UnsupportedModelError, groups_of
from crane.neurons.changes import Step, changed, composed
from crane.neurons.interventions import masked
from crane.neurons.neuron_set import NeuronSet

GATED, FUSED, PLAIN, FLAT = "llama", "phi3", "gpt2", "opt"


def random_set(model: Any, seed: int = 0) -> NeuronSet:
    flags = np.random.default_rng(seed).random((2, *shape(model))) < 0.2
    flags[1, 1] = False
    return NeuronSet.from_flags(flags, ["en", "vi"])


def random_shift(model: Any) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape(model))


def logits(model: Any, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=batch[0], attention_mask=batch[1]).logits


@pytest.mark.parametrize("family", [GATED, FUSED, PLAIN, FLAT])
@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_set_and_add_equal_zeroed_columns_and_a_constant_bias(
    make_model: Any, make_batch: Any, family: str, factor: float
) -> None:
    """The bias form: set v is zero and the bias sum_k v_k W[:, k], add c the bias sum_k c_k W[:, k] alone."""
    model, batch = make_model(family), make_batch([12, 7])
    neurons, shift = random_set(model), random_shift(model)
    handles = []
    for layer, mlp in enumerate(mlps(model)):
        (columns,) = write_weights(mlp.down, "intermediate")
        index = neurons["en"][layer]
        bias = (torch.as_tensor(shift[layer, index]).float() @ columns[index]).detach()
        handles.append(mlp.down.register_forward_hook(lambda _, args, output, b=bias: output + b))
    with masked(model, neurons, "en", scale=factor):
        by_bias = logits(model, batch)
    for handle in handles:
        handle.remove()
    with changed(model, composed("value", [Step(neurons["en"], factor, shift)])):
        by_hook = logits(model, batch)
    torch.testing.assert_close(by_hook, by_bias, rtol=1e-4, atol=1e-4)
    assert (by_hook - logits(model, batch)).abs().max() > 1e-2


def test_one_layers_bias_form_is_exact_to_a_millionth(make_model: Any) -> None:
    """In float64, so that nothing but the algebra is compared."""
    model = make_model(GATED).double()
    (columns,) = write_weights(mlps(model)[0].down, "intermediate")
    values, index = torch.randn(1, 5, columns.shape[0], dtype=torch.float64), np.array([1, 4, 30])
    shift = np.random.default_rng(0).normal(size=shape(model))
    for factor in (0.0, 1.0):
        change = composed("value", [Step({0: index}, factor, shift)])
        kept = values.clone()
        kept[..., index] *= factor
        expected = kept @ columns + torch.as_tensor(shift[0, index]) @ columns[index]
        with changed(model, change), torch.no_grad():
            torch.testing.assert_close(mlps(model)[0].down(values), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("family", [GATED, FUSED])
@pytest.mark.parametrize("factor", [0.0, 0.3])
def test_zero_and_scale_at_the_gate_are_those_at_the_value(
    make_model: Any, make_batch: Any, family: str, factor: float
) -> None:
    model, batch = make_model(family), make_batch([9, 5])
    neurons = random_set(model)
    found = {}
    for site in ("value", "gate"):
        with changed(model, composed(site, [Step(neurons["en"], factor, 0.0)])):
            found[site] = logits(model, batch)
    with masked(model, neurons, "en", scale=factor):
        by_weights = logits(model, batch)
    torch.testing.assert_close(found["gate"], found["value"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found["gate"], by_weights, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", [GATED, FUSED])
@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_a_shift_of_the_gate_is_multiplied_by_the_other_factor(
    make_model: Any, make_batch: Any, family: str, factor: float
) -> None:
    """By hand, at the down projection: a = factor gate up + shift up, where up is read from the same pass."""
    model, batch = make_model(family), make_batch([9, 5])
    neurons, shift = random_set(model), random_shift(model)
    change = composed("gate", [Step(neurons["en"], factor, shift)])
    with changed(model, change):
        by_hook = logits(model, batch)
    handles = []
    for layer, mlp in enumerate(mlps(model)):
        seen: dict[str, torch.Tensor] = {}
        index, added = neurons["en"][layer], torch.as_tensor(shift[layer]).float()

        def keep(_: Any, args: Any, output: torch.Tensor, seen: Any = seen, mlp: Any = mlp) -> None:
            seen["up"] = output.chunk(2, -1)[1] if mlp.fused else output

        def put(values: torch.Tensor, seen: Any = seen, i: Any = index, c: Any = added) -> torch.Tensor:
            values = values.clone()
            values[..., i] = factor * values[..., i] + c[i] * seen["up"][..., i]
            return values

        handles += [mlp.up.register_forward_hook(keep), mlp.at_site("intermediate", put)]
    by_hand = logits(model, batch)
    for handle in handles:
        handle.remove()
    torch.testing.assert_close(by_hook, by_hand, rtol=1e-4, atol=1e-4)
    with changed(model, change._replace(site="value")):
        assert (logits(model, batch) - by_hook).abs().max() > 1e-2, "set and add differ between the sites"


def test_steps_are_made_one_after_another() -> None:
    """Deactivated, then activated: neuron 5 is in both and gets both; in the other order it would be -1."""
    off, on = {0: np.array([2, 5])}, {0: np.array([5, 7]), 1: np.array([0])}
    amounts = np.full((2, 9), 3.0)
    change = composed("gate", [Step(off, 0.0, -1.0), Step(on, 1.0, amounts)])
    assert {layer: index.tolist() for layer, index in change.neurons.items()} == {0: [2, 5, 7], 1: [0]}
    assert change.factors[0].tolist() == [0, 0, 1] and change.shifts[0].tolist() == [-1, 2, 3]
    other = composed("gate", [Step(on, 1.0, amounts), Step(off, 0.0, -1.0)])
    assert other.shifts[0].tolist() == [-1, -1, 3]
    twice = composed("value", [Step(on, 2.0, 1.0), Step(on, 0.5, 4.0)])
    assert twice.factors[0].tolist() == [1, 1] and twice.shifts[0].tolist() == [4.5, 4.5]


def test_what_decides_a_change_is_told_apart() -> None:
    neurons = {0: np.array([1, 2])}
    changes = [
        composed("value", [Step(neurons, 0.0, 1.0)]),
        composed("gate", [Step(neurons, 0.0, 1.0)]),
        composed("value", [Step(neurons, 1.0, 1.0)]),
        composed("value", [Step(neurons, 0.0, 2.0)]),
        composed("value", [Step({0: np.array([1, 3])}, 0.0, 1.0)]),
        composed("value", [Step({1: np.array([1, 2])}, 0.0, 1.0)]),
    ]
    assert len({str(change.deciding()) for change in changes}) == len(changes)
    again = composed("value", [Step({0: np.array([1, 2])}, 0.0, 1.0)])
    assert again.deciding() == changes[0].deciding()


@pytest.mark.parametrize("site", ["value", "gate"])
def test_no_neurons_and_the_end_of_the_context_leave_the_model_as_it_was(
    make_model: Any, make_batch: Any, site: Any
) -> None:
    model, batch = make_model(GATED), make_batch([8, 4])
    before, plain = {n: p.clone() for n, p in model.named_parameters()}, logits(model, batch)
    with changed(model, composed(site, [Step({0: np.empty(0, np.int64)}, 0.0, 1.0)])):
        assert torch.equal(logits(model, batch), plain)
    neurons = random_set(model)
    with pytest.raises(KeyboardInterrupt), changed(model, composed(site, [Step(neurons["en"], 0.0, 1.0)])):
        assert not torch.equal(logits(model, batch), plain)
        assert all(torch.equal(p, before[n]) for n, p in model.named_parameters())
        raise KeyboardInterrupt
    assert torch.equal(logits(model, batch), plain)


@pytest.mark.parametrize("site", ["value", "gate"])
def test_generation_with_a_cache_is_that_without(make_model: Any, make_batch: Any, site: Any) -> None:
    model = make_model(GATED)
    ids, mask = make_batch([6, 6])
    change = composed(site, [Step(random_set(model)["en"], 1.0, 0.7)])
    how = {"attention_mask": mask, "do_sample": False, "max_new_tokens": 8, "min_new_tokens": 8}
    with torch.no_grad():
        plain = model.generate(ids, use_cache=True, **how)
        with changed(model, change):
            cached = model.generate(ids, use_cache=True, **how)
            whole = model.generate(ids, use_cache=False, **how)
    assert torch.equal(cached, whole)
    assert not torch.equal(cached, plain)


@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_neurons_of_experts_are_changed_at_the_tokens_routed_to_them(
    make_model: Any, make_batch: Any, factor: float
) -> None:
    """Against a loop over the rows of the experts' tensor, and over the neurons of the expert that all tokens share."""
    model = make_model("qwen2_moe")
    ids, _ = make_batch([9, 9])
    neurons, shift = random_set(model), random_shift(model)
    groups = groups_of(model.config)

    def in_experts(layer: int, gate: Any, inputs: Any, values: torch.Tensor) -> torch.Tensor:
        values = values.clone()
        for row, expert in enumerate(gate.routing.expert.tolist()):
            for n in neurons["en"][layer]:
                if n < groups.routed and n // groups.width == expert:
                    place = row, n % groups.width
                    values[place] = factor * values[place] + shift[layer, n]
        return values

    def shared(layer: int, values: torch.Tensor) -> torch.Tensor:
        values = values.clone()
        for n in neurons["en"][layer][neurons["en"][layer] >= groups.routed]:
            place = ..., n - groups.routed
            values[place] = factor * values[place] + shift[layer, n]
        return values

    with torch.no_grad(), open_gates(model):
        plain, handles = model(input_ids=ids).logits, []
        for layer, block in enumerate(blocks(model)):
            handles.append(gate_of(block.experts).register_forward_hook(partial(in_experts, layer)))
            handles.append(block.mlp.at_site("intermediate", partial(shared, layer)))
        expected = model(input_ids=ids).logits
        for handle in handles:
            handle.remove()
        with changed(model, composed("value", [Step(neurons["en"], factor, shift)])):
            found = model(input_ids=ids).logits
        assert torch.equal(model(input_ids=ids).logits, plain)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (found - plain).abs().max() > 1e-2


@pytest.mark.parametrize(
    ("family", "said"), [("gpt2", "needs MLPs with a gate"), ("mixtral", "experts compute gate and neuron")]
)
def test_gates_that_are_not_there_are_refused(make_model: Any, family: str, said: str) -> None:
    change = composed("gate", [Step({0: np.array([0])}, 0.0, 1.0)])
    with pytest.raises(UnsupportedModelError, match=said), changed(make_model(family), change):
        pass
    with (
        pytest.raises(UnsupportedModelError, match="inside the MLP"),
        changed(make_model("llama"), change, "residual_write"),
    ):
        pass
