"""What vLLM is told before it starts: the environment of its processes, and how it is to read a model."""

import os
from pathlib import Path
from typing import Any

from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from crane.models.families import UnsupportedModelError, positions

SCRIPTS = Path(__file__).parents[2]


def text_decoder(config: Any) -> Any:
    """Return the configuration of a multimodal model's text decoder, for vLLM's `hf_overrides`.

    The text decoder alone needs no image processor and none of the memory that vLLM reserves for images.
    """
    text = config.get_text_config()
    if text is not config:  # vLLM asks with an empty configuration first
        text.architectures = [MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[text.model_type]]
    return text


def overrides(config: Any) -> dict[str, Any]:
    """Return the arguments of `vllm.LLM` that change a model's configuration."""
    if hasattr(config, "vision_config"):
        return {"hf_overrides": text_decoder}
    if config.model_type == "cohere2" and config.sliding_window:
        # vLLM adds 1 to the window w of local layers (`models/commandr.py`); transformers' local layers see w tokens.
        return {"hf_overrides": {"sliding_window": config.sliding_window - 1}}
    return {}


def model_length(config: Any, context: int | None) -> int | None:
    """Return how many tokens vLLM is to provide for, or None for what the model's configuration says.

    Args:
        config: the model's configuration.
        context: tokens of the longest prompt with its answer, and one that vLLM generates in any case.

    Raises:
        UnsupportedModelError: longer texts change the model's rotary factors (LongRoPE): transformers takes the long
            factors for the texts that need them, vLLM for all texts if one may need them.
    """
    limit = positions(config)
    if context is not None and limit is not None:
        context = min(context, limit)
    rope = getattr(config.get_text_config(), "rope_parameters", None) or {}
    if rope.get("rope_type") != "longrope":
        return context
    short = rope["original_max_position_embeddings"]
    if context is not None and context - 1 > short:
        raise UnsupportedModelError(
            f"prompts with their answers have up to {context - 1} tokens, and beyond {short} this "
            f"{config.model_type!r} has other rotary factors (longrope): transformers takes them for longer texts "
            "alone, vLLM would for all; shorten the prompts or set engine: hf"
        )
    return min(length for length in (context, limit, short) if length is not None)


def prepare_environment(cpu: bool, tensor_parallel_size: int) -> None:
    """Set the environment variables that vLLM's processes read."""
    # Workers are new processes and must be able to import this package.
    paths = [str(SCRIPTS), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(path for path in paths if path))
    if cpu:
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
        # Run the engine's loop in this process, which saves one start of Python with vLLM.
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        if tensor_parallel_size > 1:
            cores = range(tensor_parallel_size)
            os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "|".join(map(str, cores)))
    else:
        # Whoever has asked whether there is a GPU cannot fork: CUDA refuses to start in the child, and vLLM notices
        # only that CUDA has not started here.
        os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
        # FlashInfer would compile its top-k and top-p at the start, with a compiler that GPU nodes often lack, and all
        # answers here are greedy.
        os.environ.setdefault("VLLM_USE_FLASHINFER_SAMPLER", "0")
