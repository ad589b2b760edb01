"""The vLLM engine refuses values by position before it asks its workers anything."""

import numpy as np
import pytest
from crane.evaluation.engine import EngineError
from crane.evaluation.vllm import VllmEngine
from crane.neurons.neuron_set import NeuronSet


def test_values_by_position_are_refused():
    engine = object.__new__(VllmEngine)
    neurons = NeuronSet({"en": {0: np.array([1])}}, layers=2)
    with (
        pytest.raises(EngineError, match=r"intervention resample.*use engine: hf"),
        engine.masked(neurons, "en", values=np.zeros((4, 2, 8))),
    ):
        pass
