"""The edges of a pilot against the moments of its values, and their file."""

import numpy as np
import pytest
import torch
from crane.artefacts import ArtefactError
from crane.models.architectures import mlps
from crane.relevance.accumulated_columns import BINS
from crane.relevance.bin_edges import (
    LEAST_RANGE,
    _Distribution,
    measure_edges,
    pilot_samples,
    read_edges,
    write_edges,
)
from crane.relevance.histograms import BinEdges
from crane.relevance.sweep import layer_sweep

SAMPLES = [[5, 9, 17, 4, 60], [7, 30, 31], [90, 12, 8, 8, 20, 44, 100]]


def test_edges_are_four_deviations_from_the_mean_of_all_samples(llama):
    found = measure_edges(llama, SAMPLES, skip_first=True)
    kept = {}

    def keep(name):
        return lambda module, inputs, output=None: kept.setdefault(name, []).append(
            (inputs[0] if output is None else output)[0].detach().double().numpy()
        )

    mlp = mlps(llama)[1]
    handles = [
        mlp.down.register_forward_pre_hook(keep("value")), mlp.activation.register_forward_hook(keep("gate")),
    ]  # fmt: skip
    with torch.no_grad():
        for sample in SAMPLES:
            llama(torch.tensor([sample]))
    for handle in handles:
        handle.remove()
    means = np.stack([values[1:].mean(0) for values in kept["value"]])
    gates = np.concatenate(kept["gate"])
    for name, values in (("sample_histogram", means), ("token_histogram", gates)):
        low, high = values.mean(0) - 4 * values.std(0), values.mean(0) + 4 * values.std(0)
        if name == "token_histogram":
            low = np.maximum(low, values.min(0) - (high - values.min(0)) / BINS)
        low, high = (
            np.minimum(low, (low + high - LEAST_RANGE) / 2), np.maximum(high, (low + high + LEAST_RANGE) / 2)
        )  # fmt: skip
        np.testing.assert_allclose(found.edges[name][1], [low, high], rtol=1e-5, atol=1e-7)
    assert found.edges["token_histogram"].dtype == torch.float32
    again = measure_edges(llama, SAMPLES, skip_first=True)
    assert again.digest == found.digest != measure_edges(llama, SAMPLES[:2], skip_first=True).digest


def test_a_model_whose_weights_wait_elsewhere_gives_the_same_edges(llama):
    whole = measure_edges(llama, SAMPLES, skip_first=False)
    with layer_sweep(llama, device="cpu", resident=1):
        assert measure_edges(llama, SAMPLES, skip_first=False).digest == whole.digest


def test_no_hook_is_left(llama):
    with pytest.raises(IndexError):
        measure_edges(llama, [[10**6]], skip_first=False)
    assert not any(mlp.activation._forward_hooks or mlp.down._forward_pre_hooks for mlp in mlps(llama))


def test_neurons_that_do_not_vary_have_edges_that_float32_holds_apart():
    constant = _Distribution()
    constant.add(torch.tensor([[0.0, 1e4], [0.0, 1e4]], dtype=torch.float64))
    low, high = constant.edges(from_least=True)
    assert (high - low)[0] == pytest.approx(LEAST_RANGE)
    assert low[1] < 1e4 < high[1]


def test_a_pilot_is_drawn_by_seed_language_by_language():
    corpora = {code: [[number, 1] for number in range(50)] for code in ("en", "vi")}
    found = pilot_samples(corpora, 10, seed=3)
    assert found == pilot_samples(corpora, 10, seed=3) != pilot_samples(corpora, 10, seed=4)
    assert len(found) == 20 and found[:10] != found[10:]
    assert found[10:] == pilot_samples({"vi": corpora["vi"]}, 10, seed=3)
    assert len(pilot_samples(corpora, 1000, seed=3)) == 100


def test_a_file_of_edges_reads_back_and_damage_is_noticed(tmp_path):
    generator = torch.Generator().manual_seed(0)
    edges = BinEdges.of(
        {name: torch.rand(3, 2, 5, generator=generator) for name in ("sample_histogram", "token_histogram")}
    )
    path = tmp_path / "model.safetensors"
    write_edges(edges, path, {"rule": "freeze_bin_edges"})
    read = read_edges(path)
    assert read.digest == edges.digest
    assert all(torch.equal(read.edges[name], grid) for name, grid in edges.edges.items())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match="checksum; delete it and run again"):
        read_edges(path)
