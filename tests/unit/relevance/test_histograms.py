"""Histograms against NumPy's on the values of single samples, however these are batched, swept and cut into shards."""

import numpy as np
import pytest
import torch
from crane.models.architectures import mlps
from crane.relevance.accumulated_columns import BINS, HISTOGRAMS
from crane.relevance.attribution import attribution
from crane.relevance.bin_edges import measure_edges
from crane.relevance.collect import collect
from crane.relevance.histograms import BinEdges, bin_numbers, token_limits
from crane.relevance.memory import Fit
from crane.relevance.sweep import layer_sweep


@pytest.fixture(scope="module")
def samples():
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(4, 140, (n,), generator=generator) for n in (5, 12, 7, 12, 3, 9, 4, 12, 6, 2)]


@pytest.fixture
def edges(llama, samples):
    return measure_edges(llama, [sample.tolist() for sample in samples[:6]], skip_first=False)


def counted(model, samples, edges, fit=Fit(1), names=HISTOGRAMS, limits=None, **options):  # noqa: B008
    with attribution(model, accumulators=names, edges=edges, **options) as attribute:
        return collect(attribute, samples, fit, limits=limits).accumulated


def binned(values, edges):
    """Return `[I, BINS + 2]` by NumPy's histogram, in float32 as the bins are found."""
    low, high = edges.numpy()
    scaled = (values.astype(np.float32) - low) * (np.float32(BINS) / (high - low))
    bounds = [-np.inf, *range(BINS + 1), np.inf]
    return np.stack([np.histogram(own, bounds)[0] for own in scaled.T])


def by_hand(model, samples, edges, skip_first=False, limits=None):
    """Count every sample's mean value, and the gates of its first tokens."""
    kept = {"value": [], "gate": []}
    handles = []
    for mlp in mlps(model):
        handles.append(
            mlp.down.register_forward_pre_hook(lambda m, x: kept["value"].append(x[0][0].detach()))
        )
        handles.append(
            mlp.activation.register_forward_hook(lambda m, x, y: kept["gate"].append(y[0].detach()))
        )
    with torch.no_grad():
        for sample in samples:
            model(sample[None])
    for handle in handles:
        handle.remove()
    layers, found = len(mlps(model)), {name: [] for name in HISTOGRAMS}
    for layer in range(layers):
        means = torch.stack([values[skip_first:].mean(0) for values in kept["value"][layer::layers]])
        gates = [
            gate[:most]
            for gate, most in zip(kept["gate"][layer::layers], limits or [None] * 99, strict=False)
        ]
        for name, values in zip(HISTOGRAMS, (means, torch.cat(gates)), strict=True):
            found[name].append(binned(values.numpy(), edges.edges[name][layer]))
    return {name: np.stack(grids) for name, grids in found.items()}


def test_bins_are_half_open_and_take_what_lies_beyond():
    edges = torch.tensor([[-1.0], [1.0]])
    width = 2 / BINS
    values = torch.tensor([-9.0, -1.0 - 1e-6, -1.0, -1 + width, 1 - 1e-6, 1.0, torch.inf, -torch.inf])
    found = bin_numbers(values[:, None], edges)[:, 0]
    assert found.tolist() == [0, 0, 1, 2, BINS, BINS + 1, BINS + 1, 0]
    assert 0 <= bin_numbers(torch.tensor([[torch.nan]]), edges).item() <= BINS + 1


@pytest.mark.parametrize("skip_first", [False, True])
def test_padded_batches_count_what_each_sample_has_alone(llama, samples, edges, skip_first):
    expected = by_hand(llama, samples, edges, skip_first)
    alone = counted(llama, samples, edges, skip_first=skip_first)
    padded = counted(llama, samples, edges, Fit(24), skip_first=skip_first)
    for name in HISTOGRAMS:
        assert alone.grids[name].dtype == torch.int32
        for found in (alone, padded):
            # Sums are rounded otherwise, so that a value at an edge of a bin may be on its other side.
            moved = np.abs(np.cumsum(found.grids[name].numpy() - expected[name], axis=2))
            assert moved.max() <= 1 and moved.mean() < 1e-3
    assert (
        alone.grids["sample_histogram"].sum()
        == len(samples) * alone.grids["sample_histogram"][..., 0].numel()
    )
    assert int(alone.grids["token_histogram"][0, 0].sum()) == sum(map(len, samples))


def test_merged_shards_are_one_shard_bit_by_bit(llama, samples, edges):
    whole = counted(llama, samples, edges)
    parts = [counted(llama, part, edges) for part in (samples[:3], samples[3:4], samples[4:])]
    merged = parts[0].merge(parts[1]).merge(parts[2])
    assert merged[1:] == whole[1:] and merged.edges == edges.digest
    assert all(torch.equal(grid, whole.grids[name]) for name, grid in merged.grids.items())
    assert set(merged.grids) == {*HISTOGRAMS, *(f"{name}_edges" for name in HISTOGRAMS)}
    others = BinEdges.of({name: grid + 1 for name, grid in edges.edges.items()})
    with pytest.raises(ValueError, match="cannot merge histograms with edges"):
        merged.merge(counted(llama, samples, others))


def test_a_layer_sweep_and_further_accumulators_change_no_bit(llama, samples, edges):
    whole = counted(llama, samples, edges, Fit(24))
    with layer_sweep(llama, device="cpu", resident=1) as sweep:
        swept = counted(llama, samples, edges, Fit(24, 60), passing=sweep)
    beside = counted(llama, samples, edges, Fit(24), names=["energy", "values", *HISTOGRAMS])
    for name in HISTOGRAMS:
        assert torch.equal(swept.grids[name], whole.grids[name])
        assert torch.equal(beside.grids[name], whole.grids[name])


def test_only_the_first_tokens_are_counted_whatever_the_batches(llama, samples, edges):
    limits = token_limits(list(map(len, samples)), 20)
    assert limits == [5, 12, 3, 0, 0, 0, 0, 0, 0, 0]
    expected = by_hand(llama, samples, edges, limits=limits)["token_histogram"]
    for fit in (Fit(1), Fit(24)):
        found = counted(llama, samples, edges, fit, limits=limits)
        moved = np.abs(np.cumsum(found.grids["token_histogram"].numpy() - expected, axis=2))
        assert moved.max() <= 1 and moved.mean() < 1e-3
        assert (found.grids["token_histogram"].sum(2) == 20).all()
        assert (found.grids["sample_histogram"].sum(2) == len(samples)).all()


def test_histograms_without_edges_are_refused(llama):
    with (
        pytest.raises(ValueError, match=r"\['token_histogram'\] without edges"),
        attribution(llama, accumulators=["token_histogram", "energy"]),
    ):
        pass
