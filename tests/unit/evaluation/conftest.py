"""A Hugging Face engine on the tiny model."""

import pytest
from crane.evaluation.hf import HuggingFaceEngine


@pytest.fixture(scope="module")
def engine(model_folder):
    return HuggingFaceEngine(model_folder, batch_tokens=80)
