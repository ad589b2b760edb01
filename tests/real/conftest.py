"""SmolLM2-135M-Instruct, dequantised once for all tests, and sentences in four languages."""

from pathlib import Path
from typing import Any

import pytest
from crane.models.gguf_files import dequantise
from crane.models.loading import load_model
from crane.models.tokenizers import load_tokenizer
from support.smollm2 import GGUF, INTERMEDIATE, LAYERS, SENTENCES


@pytest.fixture(scope="session")
def gguf() -> Path:
    """Return the GGUF file; skip where it could not be downloaded."""
    if not GGUF.exists():
        pytest.skip("SmolLM2 is not here: no package index was reachable (make test-real)")
    return GGUF


@pytest.fixture(scope="session")
def smollm2(gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the dequantised model folder. Do not change it."""
    folder = tmp_path_factory.mktemp("smollm2") / "model"
    dequantise(gguf, folder, "smollm2", LAYERS, INTERMEDIATE)
    return folder


@pytest.fixture(scope="session")
def model(smollm2: Path) -> Any:
    """Return the model in float32."""
    return load_model(smollm2, "float32")


@pytest.fixture(scope="session")
def tokens(smollm2: Path) -> dict[str, list[int]]:
    """Return 48 tokens of each language at most."""
    tokenizer = load_tokenizer(smollm2)
    return {language: tokenizer(text).input_ids[:48] for language, text in SENTENCES.items()}
