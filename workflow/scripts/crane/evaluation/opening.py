"""When a job opens its engine: for the first condition that is not stored, with room for the longest prompt."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from crane.evaluation.conditions import Prompts
from crane.evaluation.engine import Engine
from crane.evaluation.loading import open_engine


def opener(
    kind: str, folder: str | Path, prompts: Iterable[Prompts], *, cache: Path, **settings: Any
) -> Callable[[], Engine]:
    """Return a function that opens the engine of a job, for the longest of its prompts.

    Args:
        kind: `hf` or `vllm`.
        folder: a Hugging Face model folder.
        prompts: all that the job asks.
        cache: folder of the graphs that vLLM compiles, of this job alone: several jobs that start together would write
            into a shared one at the same time. VLLM_CACHE_ROOT of the environment goes before it.
        settings: of `open_engine`.
    """

    def opened() -> Engine:
        os.environ.setdefault("VLLM_CACHE_ROOT", str(cache))
        context = max(asked.longest() for asked in prompts) + 1
        return open_engine(kind, folder, context=context, **settings)

    return opened
