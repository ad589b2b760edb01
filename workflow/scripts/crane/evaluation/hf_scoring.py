"""Log-likelihoods of choices and texts by a transformers model, in batches of a token budget.

Nothing is computed that is not read: the vocabulary's logits exist behind scored tokens only, and choices of several
tokens read their common context once, through its keys and values.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from crane.evaluation.batching import TokenBudget
from crane.evaluation.engine import Question, check_length
from crane.models.families import logit_cap, scaled_logits

LOGIT_ROWS = 512
"""Number of positions whose logits over the whole vocabulary are held at the same time."""


class _Row(NamedTuple):
    """A context and the choices that follow it."""

    question: int
    first: int
    """Number of its first choice."""
    context: list[int]
    choices: list[list[int]]

    @property
    def tokens(self) -> int:
        """Tokens that are computed; the last token of a choice is only scored."""
        return len(self.context) + sum(len(choice) - 1 for choice in self.choices)


class Scorer:
    """Scores continuations of token sequences.

    Args:
        model: a causal language model of transformers; masks on it hold.
        budget: of a batch.
        limit: tokens that the model can read, None where it has no limit.
    """

    def __init__(self, model: Any, budget: TokenBudget, limit: int | None) -> None:
        self._model = model
        self._budget = budget
        self._limit = limit
        self._cap = logit_cap(model.config)  # applied after the output layer

    @torch.inference_mode()
    def score(self, questions: Sequence[Question]) -> list[np.ndarray]:
        """Return the log-likelihood (nats) of every choice, float32, in the order of the questions.

        Raises:
            EngineError: a question is longer than the model can read.
        """
        self._check([context + choice[:-1] for question in questions for context, choice in question.pairs()])
        scores = [np.zeros(len(question.choices), np.float32) for question in questions]
        rows: list[_Row] = []
        for number, question in enumerate(questions):
            if len(question.contexts) == 1:
                rows.append(_Row(number, 0, question.contexts[0], question.choices))
            else:
                rows += [
                    _Row(number, place, c, [choice]) for place, (c, choice) in enumerate(question.pairs())
                ]
        with tqdm(total=len(rows), unit="row", mininterval=10) as bar:
            for alone in (True, False):  # single-token choices need neither a second step nor a cache
                kind = [row for row in rows if all(len(c) == 1 for c in row.choices) == alone]

                def process(batch: list[_Row], alone: bool = alone) -> None:
                    scores_of_rows = self._next_tokens(batch) if alone else self._continuations(batch)
                    for row, values in zip(batch, scores_of_rows, strict=True):
                        scores[row.question][row.first : row.first + len(values)] = values

                self._budget.run(kind, lambda row: row.tokens, process, done=bar.update)
        return scores

    def _next_tokens(self, batch: list[_Row]) -> list[list[float]]:
        """Return the log-likelihoods of rows whose choices are single tokens."""
        hidden = self._hidden([row.context for row in batch])
        ends = torch.tensor([len(row.context) - 1 for row in batch], device=hidden.device)
        last = hidden[torch.arange(len(batch), device=hidden.device), ends]
        return self._first_tokens(last, batch)

    def _first_tokens(self, states: Tensor, batch: list[_Row]) -> list[list[float]]:
        """Return the log-likelihoods of every choice's first token after states `[B, H]`."""
        widest = max(len(row.choices) for row in batch)
        first = [[choice[0] for choice in row.choices] for row in batch]
        targets = [tokens + tokens[:1] * (widest - len(tokens)) for tokens in first]
        logprobs = self.logprobs(states, torch.tensor(targets, device=states.device)).tolist()
        return [values[: len(row.choices)] for values, row in zip(logprobs, batch, strict=True)]

    def _continuations(self, batch: list[_Row]) -> list[list[float]]:
        """Return the log-likelihoods of rows with longer choices: contexts first, then choices after their caches."""
        device = self._model.device
        longest = max(len(row.context) for row in batch)
        # Padding is on the left, so that the choices follow their contexts without a gap.
        padding = torch.tensor([longest - len(row.context) for row in batch])
        ids = torch.tensor([[0] * (longest - len(row.context)) + row.context for row in batch])
        seen = torch.arange(longest) >= padding[:, None]
        output = self._model.base_model(
            input_ids=ids.to(device),
            attention_mask=seen.long().to(device),
            position_ids=(torch.arange(longest) - padding[:, None]).clamp(min=0).to(device),
            use_cache=True,
        )
        scores = self._first_tokens(output.last_hidden_state[:, -1], batch)
        owner = torch.tensor([number for number, row in enumerate(batch) for _ in row.choices])
        choices = [choice for row in batch for choice in row.choices]
        cache = output.past_key_values
        cache.batch_select_indices(owner.to(device))
        read = pad_sequence(
            [torch.tensor(choice[:-1], dtype=torch.long) for choice in choices], batch_first=True
        )
        states = self._model.base_model(
            input_ids=read.to(device),
            # Attention is causal, so padding after a choice does not change it.
            attention_mask=torch.cat([seen[owner], torch.ones_like(read, dtype=torch.bool)], 1)
            .long()
            .to(device),
            position_ids=(longest - padding[owner][:, None] + torch.arange(read.shape[1])).to(device),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        lengths = [len(choice) - 1 for choice in choices]
        behind = torch.cat([states[number, :length] for number, length in enumerate(lengths)])
        targets = torch.tensor([token for choice in choices for token in choice[1:]], device=device)
        rest = self.logprobs(behind, targets[:, None]).double().squeeze(1).split(lengths)
        sums = iter([float(part.sum()) for part in rest])
        return [[value + next(sums) for value in values] for values in scores]

    @torch.inference_mode()
    def log_likelihoods(self, samples: Sequence[Sequence[int]]) -> list[float]:
        """Return the log-likelihood (nats) of each sample's tokens after the first, in the order of the samples.

        Args:
            samples: token numbers of each, at least two, BOS included.

        Raises:
            EngineError: a sample is longer than the model can read.
        """
        self._check(samples)
        totals: dict[int, float] = {}

        def process(batch: list[int]) -> None:
            hidden = self._hidden([samples[i] for i in batch])
            for i, states in zip(batch, hidden, strict=True):
                targets = torch.tensor(samples[i][1:], device=states.device)[:, None]
                logprobs = self.logprobs(states[: len(samples[i]) - 1], targets)
                totals[i] = float(logprobs.double().sum())

        self._budget.run(range(len(samples)), lambda i: len(samples[i]), process)
        return [totals[i] for i in range(len(samples))]

    def _check(self, samples: Sequence[Sequence[int]]) -> None:
        if self._limit is not None:
            check_length(samples, self._limit)

    def _hidden(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Return the last hidden states `[B, T, H]` of rows padded on the right.

        Attention is causal, so padding after a row does not change it and needs no mask.
        """
        ids = pad_sequence([torch.tensor(row) for row in rows], batch_first=True).to(self._model.device)
        return self._model.base_model(input_ids=ids, use_cache=False).last_hidden_state

    def logprobs(self, states: Tensor, targets: Tensor) -> Tensor:
        """Return the log-probabilities `[N, C]` of tokens `[N, C]` after states `[N, H]`."""
        parts = []
        for part, wanted in zip(states.split(LOGIT_ROWS), targets.split(LOGIT_ROWS), strict=True):
            logits = scaled_logits(self._model.config, self._model.get_output_embeddings()(part))
            if self._cap:
                logits = torch.tanh(logits / self._cap) * self._cap
            parts.append(logits.float().log_softmax(-1).gather(1, wanted))
        return torch.cat(parts)
