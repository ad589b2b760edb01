"""The extension of vLLM's workers on a layer that stands in for vLLM's: factor and shift of single neurons."""

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

NAME = "crane.evaluation.vllm_worker"


class Linear(torch.nn.Module):
    """What the extension uses of vLLM's `RowParallelLinear`."""

    def __init__(self, inputs: int, outputs: int, *, tp_rank: int, prefix: str = "") -> None:
        super().__init__()
        self.prefix, self.tp_rank, self.params_dtype = prefix, tp_rank, torch.float32
        self.reduce_results = True
        self.input_size_per_partition, self.output_size = inputs, outputs
        self.weight = torch.randn(inputs, outputs, generator=torch.Generator().manual_seed(tp_rank))

    def forward(self, given: torch.Tensor) -> tuple[torch.Tensor, None]:
        return given @ self.weight, None


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield the module, imported with stand-ins for the modules of vLLM that it imports."""
    parts = ("vllm", "vllm.model_executor", "vllm.model_executor.layers", "vllm.model_executor.models")
    for name in parts:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    linear = type("RowParallelLinear", (Linear,), {})
    mapper = type(
        "WeightsMapper", (), {"__init__": lambda self, **_: None, "__or__": lambda self, other: self}
    )
    gemma = type("Gemma3ForCausalLM", (), {"hf_to_vllm_mapper": mapper()})
    for name, members in {
        "layers.activation": {"get_act_fn": None},
        "layers.linear": {"RowParallelLinear": linear},
        "models.gemma3": {"Gemma3ForCausalLM": gemma},
        "models.utils": {"WeightsMapper": mapper},
    }.items():
        module = ModuleType(f"vllm.model_executor.{name}")
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    vars(sys.modules["vllm.model_executor.models"])["bloom"] = ModuleType("bloom")
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    yield importlib.import_module(NAME)
    sys.modules.pop(NAME, None)


def test_each_rank_gets_the_factors_and_shifts_of_its_own_neurons(worker: Any) -> None:
    """Two ranks of four neurons; neuron 1 is zeroed, 5 zeroed and shifted, 6 shifted alone."""
    neurons, factors, shifts = {0: [1, 5, 6]}, {0: [0.0, 0.0, 1.0]}, {0: [0.0, 2.0, 3.0]}
    values = torch.randn(2, 8, generator=torch.Generator().manual_seed(9))
    expected = values.clone()
    expected[:, [1, 5]] = 0
    expected[:, [5, 6]] += torch.tensor([2.0, 3.0])
    owned = []
    for rank in range(2):
        layers = [
            worker.RowParallelLinear(4, 3, tp_rank=rank, prefix=f"model.layers.{n}.mlp.down_proj")
            for n in (0, 1)
        ]
        mask = worker.NeuronMask()
        mask.get_model = lambda layers=layers: torch.nn.ModuleList(layers)
        owned.append(mask.neuron_mask_set(neurons, factors, "intermediate", shifts))
        here = slice(4 * rank, 4 * rank + 4)
        for layer, wanted in zip(layers, (expected, values), strict=True):
            torch.testing.assert_close(layer(values[:, here])[0], wanted[:, here] @ layer.weight)
        assert mask.neuron_mask_set({0: [1, 5]}, {0: [0.5, 0.5]}, "intermediate", {0: [0.0, 0.0]}) == 1
        halved = values.clone()
        halved[:, [1, 5]] *= 0.5
        torch.testing.assert_close(layers[0](values[:, here])[0], halved[:, here] @ layers[0].weight)
        assert mask.neuron_mask_set({}, {}, "intermediate", {}) == 0
        assert np.array_equal(layers[0](values[:, here])[0], values[:, here] @ layers[0].weight)
    assert owned == [1, 2]
