"""The vLLM engine: masks change in milliseconds, questions share their prefixes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from crane.evaluation.engine import (
    EngineError,
    Generation,
    Prompt,
    Question,
    check_length,
    end_tokens,
    read_answer,
    room,
)
from crane.evaluation.vllm_check import check_masks
from crane.evaluation.vllm_families import check_vllm
from crane.evaluation.vllm_masks import WorkersMasks
from crane.evaluation.vllm_start import model_length, overrides, prepare_environment
from crane.models.families import neurons_per_layer
from crane.models.folders import check_whole
from crane.models.tokenizers import load_tokenizer

EXTENSION = "crane.evaluation.vllm_worker.NeuronMask"
MOST_CHOICES = 128
"""vLLM's limit of `logprob_token_ids`."""


class VllmEngine(WorkersMasks):
    """A model folder loaded in vLLM, with a mask on every MLP.

    Args:
        folder: a Hugging Face model folder.
        dtype: `auto` (bfloat16 on a GPU, float32 on a CPU), `bfloat16` or `float32`.
        batch_size: maximum number of sequences in flight.
        tensor_parallel_size: GPUs that share the model.
        context: tokens of the longest prompt with its answer; default: the model's limit. vLLM reserves memory for
            this length, and a model with a long context may not start on a small GPU.
        gpu_memory: share of the GPU's memory that vLLM may use.

    Raises:
        ModelError: the folder does not hold a whole model (`crane.models.folders.check_whole`).
        UnsupportedModelError: vLLM does not run the model's family or cannot mask it
            (`crane.evaluation.vllm_families.check_vllm`), or computes texts of this length otherwise than transformers
            (`crane.evaluation.vllm_start.model_length`).
        EngineError: vLLM cannot load the model, or cannot mask it.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        dtype: str = "auto",
        batch_size: int = 256,
        tensor_parallel_size: int = 1,
        context: int | None = None,
        gpu_memory: float = 0.9,
    ) -> None:
        self._config = check_whole(folder)
        self.tokenizer = load_tokenizer(folder)
        check_vllm(self._config)
        length = model_length(self._config, context)
        cpu = not torch.cuda.is_available()
        prepare_environment(cpu, tensor_parallel_size)
        if dtype == "auto":
            dtype = "float32" if cpu else "bfloat16"

        from vllm import LLM

        try:
            self.llm = LLM(
                model=str(folder),
                dtype=dtype,
                tensor_parallel_size=tensor_parallel_size,
                max_model_len=length,
                max_num_seqs=batch_size,
                enable_prefix_caching=True,
                enforce_eager=cpu,
                gpu_memory_utilization=gpu_memory,
                seed=0,
                trust_remote_code=False,
                generation_config="vllm",  # nothing of the folder's
                worker_extension_cls=EXTENSION,
                # The compile cache does not know the extension: without this key, a graph compiled without masks would
                # be reused and every mask silently ignored.
                additional_config={"neuron_mask": 1},
                # Prefixes are shared in whole blocks. The CPU's default block of 128 tokens is longer than most
                # examples, and it has no kernel for a GPU's 16.
                **({"block_size": 32} if cpu else {}),
                **overrides(self._config),
            )
        except (ValueError, KeyError) as error:
            raise EngineError(
                f"vLLM cannot load {folder}, a {self._config.model_type}: {error}; use engine: hf"
            ) from error
        self.limit = self.llm.llm_engine.model_config.max_model_len
        self._ends = end_tokens(folder, self.tokenizer, self._config)
        self.prompt_tokens = self.computed_tokens = 0
        """Tokens of all prompts sent to score choices, and how many of them were not in the prefix cache."""
        self.layers, self.widths = self._check_layers()
        check_masks(self, 1e-3 if dtype == "float32" else 0.1)

    def _check_layers(self) -> tuple[int, dict[str, int]]:
        workers = self.llm.collective_rpc("neuron_mask_shape")
        config = self._config
        layers = config.get_text_config().num_hidden_layers
        for worker in workers:
            if worker["layers"] != list(range(layers)):
                raise EngineError(
                    f"vLLM's {config.model_type} has {len(worker['layers'])} MLPs that can be masked, in layers "
                    f"{worker['layers']}; the model has {layers} layers; use engine: hf"
                )
            if worker["quantisation"] != "UnquantizedLinearMethod":
                raise EngineError(f"a model quantised by {worker['quantisation']} cannot be masked")
        found = {
            "intermediate": sum(worker["width"] for worker in workers),
            "residual_write": workers[0]["output_width"],
        }
        stated = {
            "intermediate": neurons_per_layer(config),
            "residual_write": config.get_text_config().hidden_size,
        }
        if found != stated:
            raise EngineError(
                f"vLLM's {config.model_type} has {found} neurons per layer, the model has {stated}; use engine: hf"
            )
        return layers, found

    # Log-likelihoods ------------------------------------------------------------------------------------

    def score(self, questions: Sequence[Question]) -> list[np.ndarray]:
        """Return the log-likelihood (nats) of every choice, float32, in the order of the questions.

        Single-token choices after one context are one request: their log-probabilities are those of the next token.
        Requests are sorted, so that questions with the same examples find them in the prefix cache.

        Raises:
            EngineError: a question is longer than the model can read.
        """
        scores = [np.zeros(len(question.choices), np.float32) for question in questions]
        one: list[int] = []
        pairs: list[tuple[int, int, list[int], list[int]]] = []
        for number, question in enumerate(questions):
            if question.one_request() and len({choice[0] for choice in question.choices}) <= MOST_CHOICES:
                one.append(number)
            else:
                pairs += [(number, place, *pair) for place, pair in enumerate(question.pairs())]
        self._score_next(questions, sorted(one, key=lambda i: questions[i].contexts[0]), scores)
        likelihoods = self._token_logprobs([context + choice for _, _, context, choice in pairs])
        for (number, place, _, choice), values in zip(pairs, likelihoods, strict=True):
            scores[number][place] = sum(values[-len(choice) :])
        return scores

    def _score_next(self, questions: Sequence[Question], order: list[int], scores: list[np.ndarray]) -> None:
        """Score the questions whose choices are single tokens."""
        from vllm import SamplingParams, TokensPrompt

        if not order:
            return
        # One token of the context is reserved for the answer.
        check_length([questions[i].contexts[0] for i in order], self.limit - 1)
        params = [
            SamplingParams(
                temperature=0,
                max_tokens=1,
                detokenize=False,
                logprob_token_ids=sorted({choice[0] for choice in questions[i].choices}),
            )
            for i in order
        ]
        prompts = [TokensPrompt(prompt_token_ids=questions[i].contexts[0]) for i in order]
        for i, output in zip(order, self.llm.generate(prompts, params), strict=True):
            self._count(output)
            logprobs = output.outputs[0].logprobs[0]
            scores[i][:] = [logprobs[choice[0]].logprob for choice in questions[i].choices]

    def _count(self, output: Any) -> None:
        self.prompt_tokens += len(output.prompt_token_ids)
        self.computed_tokens += len(output.prompt_token_ids) - (output.num_cached_tokens or 0)

    def _token_logprobs(self, samples: Sequence[Sequence[int]]) -> list[list[float]]:
        """Return the log-probability of each sample's tokens after the first."""
        from vllm import SamplingParams, TokensPrompt

        if not samples:
            return []
        # vLLM always generates at least one token, which needs a position in the context.
        check_length(samples, self.limit - 1)
        params = SamplingParams(temperature=0, max_tokens=1, prompt_logprobs=0, detokenize=False)
        outputs = self.llm.generate([TokensPrompt(prompt_token_ids=list(ids)) for ids in samples], params)
        for output in outputs:
            self._count(output)
        return [
            [
                float(place[token].logprob)
                for token, place in zip(ids[1:], output.prompt_logprobs[1:], strict=True)
            ]
            for ids, output in zip(samples, outputs, strict=True)
        ]

    def log_likelihoods(self, samples: Sequence[Sequence[int]]) -> list[float]:
        """Return the log-likelihood (nats) of each sample; arguments and errors as in the Hugging Face engine."""
        return [sum(values) for values in self._token_logprobs(samples)]

    # Answers --------------------------------------------------------------------------------------------

    def generate(
        self,
        prompts: Sequence[Prompt],
        *,
        max_new_tokens: int,
        repetition_penalty: float = 1.0,
        context: int = 4096,
    ) -> list[Generation]:
        """Answer greedily, in the order of the prompts; arguments and errors as in the Hugging Face engine."""
        from vllm import SamplingParams, TokensPrompt

        context = room(prompts, context, self.limit)
        params = [
            SamplingParams(
                temperature=0,
                repetition_penalty=repetition_penalty,
                max_tokens=min(max_new_tokens, context - len(prompt.ids)),
                stop=list(prompt.stop),
                stop_token_ids=sorted(self._ends),
                skip_special_tokens=True,
            )
            for prompt in prompts
        ]
        # vLLM's text drops the bytes of an unfinished character; decoding the tokens is the same for both engines.
        outputs = self.llm.generate([TokensPrompt(prompt_token_ids=prompt.ids) for prompt in prompts], params)
        return [
            read_answer(output.outputs[0].token_ids, prompt.stop, self.tokenizer, self._ends)
            for output, prompt in zip(outputs, prompts, strict=True)
        ]
