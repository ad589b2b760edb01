"""The engines by the names that a configuration gives them."""

from pathlib import Path

from crane.evaluation.engine import Engine, EngineError
from crane.evaluation.hf import HuggingFaceEngine


def open_engine(kind: str, folder: str | Path, *, dtype: str, batch_size: int, gpus: int = 1) -> Engine:
    """Load a model folder in the engine of that name.

    Args:
        kind: `hf` or `vllm`.
        folder: a Hugging Face model folder.
        dtype: `auto`, `bfloat16` or `float32`.
        batch_size: requests in flight at once.
        gpus: GPUs that share the model (`vllm` only).

    Raises:
        EngineError: unknown engine, or a model that cannot be masked in it.
        ModelError: the folder has no readable model or tokenizer.
    """
    if kind == "hf":
        return HuggingFaceEngine(folder, dtype=dtype, batch_size=batch_size)
    if kind == "vllm":
        # Imported here: only this engine needs vLLM to be installed.
        from crane.evaluation.vllm import VllmEngine

        return VllmEngine(folder, dtype=dtype, batch_size=batch_size, tensor_parallel_size=gpus)
    raise EngineError(f"unknown engine {kind!r}; known: hf, vllm")
