"""What vLLM is told before it starts: the environment of its processes, and which part of a model to load."""

import os
from pathlib import Path
from typing import Any

from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

SCRIPTS = Path(__file__).parents[2]


def text_decoder(config: Any) -> Any:
    """Return the configuration of a multimodal model's text decoder, for vLLM's `hf_overrides`.

    The text decoder alone needs no image processor and none of the memory that vLLM reserves for images.
    """
    text = config.get_text_config()
    if text is not config:  # vLLM asks with an empty configuration first
        text.architectures = [MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[text.model_type]]
    return text


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
