"""What vLLM's workers are told of a change, and what is refused before they are asked."""

from typing import Any

import numpy as np
import pytest
from crane.evaluation.engine import EngineError
from crane.evaluation.vllm_masks import WorkersMasks
from crane.neurons.changes import Step, composed


class Workers:
    """Two workers that each own half of the neurons of every layer."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def collective_rpc(self, name: str, args: tuple[Any, ...]) -> list[int]:
        assert name == "neuron_mask_set"
        self.told.append(args)
        every = [n for index in args[0].values() for n in index]
        return [sum(n < 4 for n in every), sum(n >= 4 for n in every)]

    def reset_prefix_cache(self) -> bool:
        return True


def test_factor_and_shift_of_every_neuron_reach_the_workers() -> None:
    engine = WorkersMasks()
    engine.llm = Workers()
    off, on = {0: np.array([1, 5])}, {0: np.array([5]), 1: np.array([7])}
    change = composed("value", [Step(off, 0.0, 0.0), Step(on, 1.0, 2.5)])
    with engine.changed(change, "intermediate"):
        assert engine.llm.told == [
            ({0: [1, 5], 1: [7]}, {0: [0.0, 0.0], 1: [1.0]}, "intermediate", {0: [0.0, 2.5], 1: [2.5]})
        ]
    assert engine.llm.told[1] == ({}, {}, "intermediate", {})


def test_gates_are_refused() -> None:
    engine = WorkersMasks()
    engine.llm = Workers()
    change = composed("gate", [Step({0: np.array([1])}, 0.0, 1.0)])
    with (
        pytest.raises(EngineError, match="nothing can change the gate; use engine: hf"),
        engine.changed(change, "intermediate"),
    ):
        pass
    assert engine.llm.told == []
