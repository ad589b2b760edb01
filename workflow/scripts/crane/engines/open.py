"""The engines by the names that a configuration gives them."""

from pathlib import Path

from crane.engines.hf import HuggingFaceEngine
from crane.engines.interface import Engine, EngineError


def open_engine(
    kind: str,
    folder: str | Path,
    dtype: str,
    batch_size: int,
    tensor_parallel_size: int = 1,
    context: int | None = None,
) -> Engine:
    """Load a model folder in the engine of that name.

    Args:
        kind: `hf` or `vllm`.
        folder: a Hugging Face model folder.
        dtype: `auto`, `bfloat16` or `float32`.
        batch_size: requests in flight at once.
        tensor_parallel_size: GPUs that share the model (`vllm` only).
        context: longest prompt and answer together (`vllm` reserves memory for it); the model's own by default.

    Raises:
        EngineError: unknown engine, or the folder has no readable model or tokenizer.
    """
    if kind == "hf":
        return HuggingFaceEngine(folder, dtype=dtype, batch_size=batch_size)
    if kind == "vllm":
        # Imported here: only this engine needs vLLM to be installed.
        from crane.engines.vllm import VllmEngine

        return VllmEngine(
            folder,
            dtype=dtype,
            batch_size=batch_size,
            tensor_parallel_size=tensor_parallel_size,
            context=context,
        )
    raise EngineError(f"unknown engine {kind!r}; known: hf, vllm")
