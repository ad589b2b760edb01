"""The Hugging Face engine: any machine, masks by zeroed weights."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from crane.evaluation.batching import TokenBudget
from crane.evaluation.engine import (
    Generation,
    Prompt,
    Question,
    end_tokens,
    read_answer,
    room,
)
from crane.evaluation.hf_scoring import Scorer
from crane.models.architectures import Site
from crane.models.families import positions
from crane.models.loading import load_model
from crane.models.tokenizers import load_tokenizer
from crane.neurons import changes, interventions
from crane.neurons.neuron_set import NeuronSet


class HuggingFaceEngine:
    """A model folder loaded with transformers.

    Args:
        folder: a Hugging Face model folder.
        dtype: as of `crane.models.loading.load_model`.
        device: likewise.
        batch_tokens: tokens of a batch, padding included.

    Raises:
        ModelError: the folder does not hold a whole model (`crane.models.folders.check_whole`).
    """

    def __init__(
        self, folder: str | Path, *, dtype: str = "auto", device: str | None = None, batch_tokens: int = 8192
    ) -> None:
        self.model = load_model(folder, dtype, device)
        self.tokenizer = load_tokenizer(folder)
        self.budget = TokenBudget(batch_tokens)
        self.limit = positions(self.model.config)
        self._ends = end_tokens(folder, self.tokenizer, self.model.config)
        self.model.generation_config = GenerationConfig(
            eos_token_id=sorted(self._ends) or None, pad_token_id=self.tokenizer.pad_token_id
        )
        self._scorer = Scorer(self.model, self.budget, self.limit)

    def masked(
        self, neurons: NeuronSet, language: str, *, scale: float = 0.0, values: np.ndarray | None = None
    ) -> AbstractContextManager[Any]:
        """Multiply the outputs of one language's neurons by `scale` (0 masks them) while the context lasts.

        With `values` `[K, I]` the neurons are set to these instead, with `[P, K, I]` to those of their position.
        """
        return interventions.masked(self.model, neurons, language, scale=scale, values=values)

    def changed(self, change: changes.Change, site: Site) -> AbstractContextManager[Any]:
        """Change neurons while the context lasts: `crane.neurons.changes.changed`."""
        return changes.changed(self.model, change, site)

    def score(self, questions: Sequence[Question]) -> list[np.ndarray]:
        """Return the log-likelihood (nats) of every choice: `Scorer.score`."""
        return self._scorer.score(questions)

    def log_likelihoods(self, samples: Sequence[Sequence[int]]) -> list[float]:
        """Return the log-likelihood (nats) of each sample: `Scorer.log_likelihoods`."""
        return self._scorer.log_likelihoods(samples)

    # Answers --------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def generate(
        self,
        prompts: Sequence[Prompt],
        *,
        max_new_tokens: int,
        repetition_penalty: float = 1.0,
        context: int = 4096,
    ) -> list[Generation]:
        """Answer greedily, in the order of the prompts.

        Prompts of different lengths share a batch: they are padded on the left, and padding is neither attended to nor
        penalised.

        Args:
            prompts: prompts with their stop strings.
            max_new_tokens: limit of each answer.
            repetition_penalty: as in transformers; 1 is none.
            context: longest prompt and answer together; cut to the model's own limit with a warning.

        Raises:
            EngineError: a prompt leaves no room for an answer.
        """
        context = room(prompts, context, self.limit or context)
        answers: dict[int, Generation] = {}

        def process(batch: list[int], *, stop: tuple[str, ...], new: int) -> None:
            longest = max(len(prompts[i].ids) for i in batch)
            pad = self.tokenizer.pad_token_id
            ids = torch.tensor([[pad] * (longest - len(prompts[i].ids)) + prompts[i].ids for i in batch])
            mask = torch.tensor(
                [[0] * (longest - len(prompts[i].ids)) + [1] * len(prompts[i].ids) for i in batch]
            )
            output = self.model.generate(
                ids.to(self.model.device),
                attention_mask=mask.to(self.model.device),
                do_sample=False,
                max_new_tokens=new,
                logits_processor=LogitsProcessorList([_RepetitionPenalty(repetition_penalty, mask)]),
                stop_strings=list(stop) or None,
                tokenizer=self.tokenizer if stop else None,
                pad_token_id=pad,
            )
            for i, row in zip(batch, output[:, longest:].tolist(), strict=True):
                answers[i] = read_answer(row, stop, self.tokenizer, self._ends)

        # What shares a batch ends in the same way and has as much room.
        groups: dict[tuple[tuple[str, ...], int], list[int]] = {}
        for i, prompt in enumerate(prompts):
            new = min(max_new_tokens, context - len(prompt.ids))
            groups.setdefault((prompt.stop, new), []).append(i)
        with tqdm(total=len(prompts), unit="answer", mininterval=10) as bar:
            for (stop, new), numbers in groups.items():
                self.budget.run(
                    numbers,
                    partial(_grown, prompts, new),
                    partial(process, stop=stop, new=new),
                    done=bar.update,
                )
        return [answers[i] for i in range(len(prompts))]


def _grown(prompts: Sequence[Prompt], new: int, number: int) -> int:
    """Return the tokens of a prompt and its longest answer."""
    return len(prompts[number].ids) + new


class _RepetitionPenalty(LogitsProcessor):
    """The repetition penalty of transformers and vLLM (Keskar et al. 2019) on real tokens only.

    transformers' own counts the padding, which is often the end token, as said before.
    """

    def __init__(self, penalty: float, prompt_mask: Tensor) -> None:
        self._penalty = penalty
        self._prompt = prompt_mask.bool()

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if self._penalty == 1.0:
            return scores
        real = torch.ones_like(input_ids, dtype=torch.bool)
        real[:, : self._prompt.shape[1]] = self._prompt.to(real.device)
        said = torch.zeros(scores.shape, dtype=torch.int32, device=scores.device)
        said.scatter_add_(1, input_ids, real.int())
        penalised = torch.where(scores < 0, scores * self._penalty, scores / self._penalty)
        return torch.where(said > 0, penalised, scores)
