"""Accumulators against sums over tokens written out one sample at a time, and against real ablation."""

import numpy as np
import pytest
import torch
from crane.models.architectures import mlps, write_weights
from crane.models.families import UnsupportedModelError
from crane.relevance.accumulated_columns import TOPS
from crane.relevance.accumulators import (
    RANKED,
    SUMS,
    Accumulated,
    Accumulators,
    output_change,
    ranks,
    top_sizes,
)
from crane.relevance.attribution import attribution
from crane.relevance.collect import collect
from crane.relevance.memory import Fit
from crane.relevance.sweep import layer_sweep

EVERYTHING = tuple(SUMS)
BATCHES = Fit(24)


@pytest.fixture(scope="module")
def samples():
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(4, 140, (n,), generator=generator) for n in (5, 12, 7, 12, 3, 9, 4, 12, 6, 2)]


def accumulated(model, samples, fit=BATCHES, names=EVERYTHING, **options):
    with attribution(model, accumulators=names, **options) as attribute:
        return collect(attribute, samples, fit).accumulated


def by_hand(model, samples, skip_first):
    """Everything from each sample's own values, gates, up outputs and gradients, in float64 and NumPy."""
    kept = {name: [[] for _ in mlps(model)] for name in ("value", "gate", "up", "gradient")}

    def keep(name, layer):
        def hook(module, inputs, output=None):
            tensor = inputs[0] if output is None else output
            kept[name][layer].append(tensor.detach()[0].double().numpy())
            if name == "value":
                tensor.register_hook(
                    lambda gradient: kept["gradient"][layer].append(gradient[0].double().numpy())
                )

        return hook

    handles = []
    with attribution(model, skip_first=skip_first) as attribute:
        for layer, mlp in enumerate(mlps(model)):
            handles.append(mlp.down.register_forward_pre_hook(keep("value", layer)))
            handles.append(mlp.activation.register_forward_hook(keep("gate", layer)))
            handles.append(mlp.up.register_forward_hook(keep("up", layer)))
        for sample in samples:
            attribute(sample[None], torch.ones_like(sample[None]))
    for handle in handles:
        handle.remove()
    start, found = int(skip_first), {}

    def each(function):
        return np.stack([function(layer) for layer in range(len(mlps(model)))])

    def of(name, layer):
        return [values[start:] for values in kept[name][layer]]

    norms = [
        write_weights(mlp.down, "intermediate")[0].detach().double().norm(dim=1).numpy()
        for mlp in mlps(model)
    ]
    importance = {
        "energy": each(
            lambda k: np.stack([np.sqrt((a**2).sum(0)) * norms[k] for a in of("value", k)])
        ),  # [K, n, I]
        "up": each(lambda k: np.stack([np.abs(u).sum(0) for u in of("up", k)])),
    }
    for name, values in importance.items():
        order = np.argsort(-values, axis=2, kind="stable")
        rank = np.argsort(order, axis=2)
        found[f"{name}_sum"] = values.sum(1)
        found[f"{name}_worst_rank"] = rank.max(1)
        found[f"{name}_top_count"] = np.stack(
            [(rank < size).sum(1) for size in top_sizes(rank.shape[2])], axis=1
        )
    values = [np.concatenate(of("value", k)) for k in range(len(mlps(model)))]
    found["gate_sum"] = each(lambda k: np.concatenate(kept["gate"][k]).sum(0))
    found["value_mean"] = each(lambda k: values[k].mean(0))
    found["value_m2"] = each(lambda k: values[k].var(0) * len(values[k]))
    found["gradient_sum"] = each(lambda k: sum(g.sum(0) for g in of("gradient", k)))
    found["abs_sum"] = each(
        lambda k: sum(np.abs(a * g).sum(0) for a, g in zip(of("value", k), of("gradient", k), strict=True))
    )
    return found


@pytest.mark.parametrize("skip_first", [False, True])
@pytest.mark.parametrize("fit", [Fit(1), Fit(24)], ids=["one by one", "padded batches"])
def test_padded_batches_give_what_each_sample_gives_alone(llama, samples, fit, skip_first):
    expected = by_hand(llama, samples, skip_first)
    found = accumulated(llama, samples, fit, skip_first=skip_first)
    assert found.grids.keys() == expected.keys()
    tokens = sum(map(len, samples))
    assert (found.samples, found.tokens, found.counted) == (10, tokens, tokens - 10 * skip_first)
    for name, grid in found.grids.items():
        if name.endswith(("rank", "count")):
            assert grid.dtype == torch.int32
            np.testing.assert_array_equal(grid, expected[name], err_msg=name)
        else:
            scale = np.abs(expected[name]).max()
            np.testing.assert_allclose(grid, expected[name], rtol=1e-4, atol=1e-6 * scale, err_msg=name)


def test_relevance_and_its_statistics_are_the_same_with_and_without(llama, samples):
    with attribution(llama) as attribute:
        plain = collect(attribute, samples, Fit(24))
    with attribution(llama, accumulators=EVERYTHING) as attribute:
        beside = collect(attribute, samples, Fit(24))
    assert plain.accumulated is None
    for one, two in zip(plain.statistics.moments[1:], beside.statistics.moments[1:], strict=True):
        assert torch.equal(one, two)
    assert torch.equal(plain.statistics.value_sum, beside.statistics.value_sum)


def test_a_layer_sweep_and_a_second_run_give_the_same_bits(llama, samples):
    whole = accumulated(llama, samples)
    with layer_sweep(llama, device="cpu", resident=1) as sweep:
        swept = accumulated(llama, samples, Fit(24, 60), passing=sweep)
    for name, grid in accumulated(llama, samples).grids.items():
        assert torch.equal(grid, whole.grids[name]) and torch.equal(swept.grids[name], grid), name


@pytest.mark.parametrize("names", [["gradients"], ["energy", "values"], ["up"]])
def test_only_what_is_asked_for_is_made(llama, samples, names):
    every, some = accumulated(llama, samples), accumulated(llama, samples, names=names)
    made = {grid for name in names for grid in SUMS[name]}
    made |= {f"{name}_{grid}" for name in set(names) & set(RANKED) for grid in ("worst_rank", "top_count")}
    assert some.grids.keys() == made
    assert all(torch.equal(grid, every.grids[name]) for name, grid in some.grids.items())


def test_merged_parts_are_the_whole(llama, samples):
    whole = accumulated(llama, samples, Fit(1))
    parts = [accumulated(llama, part, Fit(1)) for part in (samples[:3], samples[3:4], samples[4:])]
    merged = parts[0].merge(parts[1]).merge(parts[2])
    assert merged[1:] == whole[1:]
    for name, grid in merged.grids.items():
        if grid.dtype == torch.int32:
            assert torch.equal(grid, whole.grids[name])
        else:
            torch.testing.assert_close(grid, whole.grids[name], rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match="cannot merge accumulators"):
        merged.merge(accumulated(llama, samples, names=["up"]))


def test_documents_in_another_order_give_the_same_ranks(llama, samples):
    one, two = accumulated(llama, samples, Fit(1)), accumulated(llama, samples[::-1], Fit(1))
    for name in ("energy_worst_rank", "energy_top_count", "up_worst_rank", "up_top_count"):
        assert torch.equal(one.grids[name], two.grids[name])


def test_an_error_undoes_what_was_accumulated(llama, samples, make_batch):
    with attribution(llama, accumulators=EVERYTHING) as attribute:
        attribute(*make_batch([5, 3]))
        before = {name: grid.clone() for name, grid in attribute.further.grids.items()}
        with pytest.raises(KeyError), attribute.all_or_nothing():
            attribute(*make_batch([7, 2], seed=1))
            assert not torch.equal(attribute.further.grids["energy_sum"], before["energy_sum"])
            raise KeyError
        assert all(torch.equal(grid, before[name]) for name, grid in attribute.further.grids.items())
        attribute(*make_batch([7, 2], seed=1))
        again = attribute.further.grids["value_m2"]
    with attribution(llama, accumulators=EVERYTHING) as attribute:
        for seed, lengths in enumerate(([5, 3], [7, 2])):
            attribute(*make_batch(lengths, seed=seed))
        assert torch.equal(attribute.further.grids["value_m2"], again)


def test_the_closed_form_is_the_change_when_neurons_are_deactivated_one_at_a_time(llama):
    """What PLND measures with one forward pass per neuron, in float64."""
    mlp = mlps(llama.double())[1]
    x = torch.randn(
        6, 9, llama.config.hidden_size, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    seen = []
    handle = mlp.down.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    with torch.no_grad():
        whole = mlp.module(x)
        handle.remove()
        (columns,) = write_weights(mlp.down, "intermediate")
        changes = []
        for neuron in range(len(columns)):
            kept = columns[neuron].clone()
            columns[neuron] = 0
            changes.append((whole - mlp.module(x)).flatten(1).norm(dim=1))
            columns[neuron] = kept
        norms = columns.norm(dim=1)
    closed = output_change(seen[0], norms)
    assert closed.dtype == torch.float64
    torch.testing.assert_close(closed, torch.stack(changes, 1), rtol=1e-12, atol=1e-14)


def test_the_worst_rank_tells_who_is_in_the_top_of_every_document_for_every_k():
    importance = torch.rand(20, 11, generator=torch.Generator().manual_seed(0))
    importance[3, 4] = importance[3, 7]  # a tie goes to the lower number
    importance[5] = 0
    assert torch.equal(ranks(importance), ranks(importance.double()))  # the ordinary sort
    worst = ranks(importance).amax(0)
    for k in range(1, 12):
        tops = [set(sorted(range(11), key=lambda i: (-row[i], i))[:k]) for row in importance.tolist()]
        assert set(torch.nonzero(worst < k).flatten().tolist()) == set.intersection(*tops)


def test_the_shares_of_a_layer_are_whole_neurons():
    assert top_sizes(11008) == [110, 220, 550, 1101, 2202, 5504]
    assert top_sizes(16) == [1, 1, 1, 2, 3, 8] and len(TOPS) == 6


@pytest.mark.parametrize("family", ["gpt2", "phi3"])
def test_up_is_the_factor_beside_the_gate(make_model, samples, family):
    model = make_model(family)
    if family == "gpt2":
        with pytest.raises(UnsupportedModelError, match="importance: output"):
            accumulated(model, samples, names=["up"])
        return
    found = accumulated(model, samples[:1], names=["up"])
    seen = []
    handle = mlps(model)[0].up.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        model(samples[0][None])
    handle.remove()
    _gate, up = seen[0][0].chunk(2, -1)
    torch.testing.assert_close(found.grids["up_sum"][0], up.abs().sum(0).double(), rtol=1e-5, atol=1e-7)


def test_unknown_accumulators_and_those_of_another_site_are_refused(llama):
    with pytest.raises(ValueError, match="unknown accumulators"):
        Accumulators(["energies"], mlps(llama), 8, "cpu")
    with (
        pytest.raises(ValueError, match="residual_write"),
        attribution(llama, site="residual_write", accumulators=["energy"]),
    ):
        pass


def test_gradients_exist_at_both_sites(llama, samples):
    found = accumulated(llama, samples, names=["gradients"], site="residual_write")
    assert found.grids["abs_sum"].shape == (len(mlps(llama)), llama.config.hidden_size)
    assert isinstance(found, Accumulated)
