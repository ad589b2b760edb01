"""The engines by the names that a configuration gives them."""

from pathlib import Path

from crane.engines.hf import HuggingFaceEngine
from crane.engines.interface import Engine, EngineError


def open_engine(kind: str, folder: str | Path, dtype: str, batch_size: int) -> Engine:
    """Load a model folder in the engine of that name.

    Raises:
        EngineError: unknown engine, or the folder has no readable model or tokenizer.
    """
    if kind != "hf":
        raise EngineError(f"unknown engine {kind!r}; known: hf")
    return HuggingFaceEngine(folder, dtype=dtype, batch_size=batch_size)
