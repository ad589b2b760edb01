"""One mask after the other, under each intervention."""

import numpy as np
import pytest
from crane.evaluation.engine import each_mask
from crane.evaluation.hf import HuggingFaceEngine
from crane.neurons.neuron_set import NeuronSet

QUESTION = "Q: Which month comes after March?\nA:"


@pytest.fixture(scope="module")
def engine(model_folder):
    return HuggingFaceEngine(model_folder, batch_size=3)


def test_each_mask_passes_on_the_intervention(engine, tmp_path):
    neurons = NeuronSet.from_flags(np.random.default_rng(0).random((1, 3, 48)) < 0.3, ["en"])
    neurons.write_parquet(tmp_path / "masks.parquet", {})
    text, values = engine.tokenizer(QUESTION).input_ids, np.full((3, 48), 0.7)
    found = {}
    for name, how in {"mask": {}, "half": {"scale": 0.5}, "values": {"values": values}}.items():
        for language in each_mask(engine, str(tmp_path / "masks.parquet"), **how):
            assert language == "en"
            found[name] = engine.log_likelihoods([text])[0]
        with engine.masked(neurons, "en", **how):
            assert engine.log_likelihoods([text])[0] == found[name]
    assert len(set(found.values())) == 3
