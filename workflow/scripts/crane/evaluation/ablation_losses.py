"""What zeroing neurons costs every text, for hundreds of small ablations (method, section 13).

A batch of texts passes through the unmasked model once, and every layer's input is kept. An ablation in layer k leaves
the layers below as they are, so copies of the batch, each with another ablation, enter at the lowest layer that any of
them changes. Nothing is approximated; half of the layers are saved on average.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from crane.evaluation.batching import TokenBudget
from crane.evaluation.hf_scoring import Scorer
from crane.models.architectures import Site, mlps
from crane.models.families import family_of, positions
from crane.neurons.ablations import Ablation, side_by_side

COPIES = 8
"""Copies of the texts in a batch; with more of them fewer texts fit, and more passes without a mask are needed."""


class _Batch(NamedTuple):
    """Texts that pass through the model together."""

    rows: list[int]
    ids: Tensor
    """int64 `[B, T]`, padded on the right: attention is causal, so that no token sees the padding."""
    predicting: Tensor
    """int64 `[N]`: places in `[B * T]` whose next token is real."""
    text: Tensor
    """int64 `[N]`: the row of each."""
    targets: Tensor
    """int64 `[N]`: the next tokens."""


class AblationLosses:
    """Measures ablations on a model.

    Args:
        model: a causal language model of transformers, in float32: effects of single neurons are of the order of what
            bfloat16 rounds away.
        site: where the neurons are.
        budget: tokens of a batch, copies and padding included; halved when memory runs out.
    """

    def __init__(self, model: Any, site: Site, budget: TokenBudget) -> None:
        self._model = model
        self._site: Site = site
        self._budget = budget
        self._mlps = mlps(model)
        self._tuples = family_of(model.config).tuples
        self._scorer = Scorer(model, budget, positions(model.config))

    @torch.inference_mode()
    def lost(self, ablations: Sequence[Ablation], texts: Sequence[Sequence[int]]) -> np.ndarray:
        """Return float64 `[A, D]`: by how many nats each ablation lowers the log-likelihood of each text.

        Args:
            ablations: batches are smallest work if they are ordered by layer.
            texts: token numbers of each, at least two.

        Raises:
            EngineError: one text does not fit into memory.
        """
        lost = np.zeros((len(ablations), len(texts)))
        for batch in self._batches(texts):
            with self._noted() as inputs:
                whole = self._likelihoods(self._states(batch.ids), batch, 1)

            def process(
                numbers: list[int], batch: _Batch = batch, inputs: Any = inputs, whole: Tensor = whole
            ) -> None:
                together = [ablations[number] for number in numbers]
                left = self._likelihoods(self._ablated(together, batch, inputs), batch, len(together))
                lost[np.ix_(numbers, batch.rows)] = (whole - left).cpu().numpy()

            size = batch.ids.numel()
            self._budget.run(range(len(ablations)), partial(_length, size), process)
        return lost

    def _batches(self, texts: Sequence[Sequence[int]]) -> Iterator[_Batch]:
        waiting = sorted(range(len(texts)), key=lambda row: len(texts[row]), reverse=True)
        while waiting:
            longest = len(texts[waiting[0]])
            size = max(1, self._budget.tokens // COPIES // longest)
            rows, waiting = waiting[:size], waiting[size:]
            ids = pad_sequence([torch.tensor(texts[row]) for row in rows], batch_first=True)
            lengths = torch.tensor([len(texts[row]) for row in rows])
            predicting = (torch.arange(longest) < lengths[:, None] - 1).flatten().nonzero().squeeze(1)
            targets = ids.flatten()[predicting + 1]
            here = self._model.device
            yield _Batch(
                rows, ids.to(here), predicting.to(here), (predicting // longest).to(here), targets.to(here)
            )

    def _states(self, ids: Tensor) -> Tensor:
        """Return the last hidden states `[B, T, H]`."""
        return self._model.base_model(input_ids=ids, use_cache=False).last_hidden_state

    def _ablated(self, ablations: Sequence[Ablation], batch: _Batch, inputs: Sequence[Tensor]) -> Tensor:
        """Return the last hidden states `[C * B, T, H]` of as many copies as there are ablations."""
        copies, first = len(ablations), min(ablation.layer for ablation in ablations)
        with (
            self._entered(first, inputs[first].repeat(copies, 1, 1)),
            side_by_side(self._mlps, self._site, ablations),
        ):
            return self._states(batch.ids.repeat(copies, 1))

    def _likelihoods(self, states: Tensor, batch: _Batch, copies: int) -> Tensor:
        """Return the log-likelihoods, float64 `[C, B]`."""
        behind = states.view(copies, -1, states.shape[-1])[:, batch.predicting].flatten(0, 1)
        logprobs = self._scorer.logprobs(behind, batch.targets.repeat(copies)[:, None])
        sums = logprobs.new_zeros(copies, len(batch.rows), dtype=torch.float64)
        return sums.index_add_(1, batch.text, logprobs.double().view(copies, -1))

    # The layers -----------------------------------------------------------------------------------------

    @contextmanager
    def _noted(self) -> Iterator[list[Tensor]]:
        """Note the input of every layer within the context, `[B, T, H]`."""
        inputs: list[Tensor] = []

        def note(module: nn.Module, arguments: tuple[Any, ...]) -> None:
            inputs.append(arguments[0])

        handles = [mlp.layer.register_forward_pre_hook(note) for mlp in self._mlps]
        try:
            yield inputs
        finally:
            for handle in handles:
                handle.remove()

    @contextmanager
    def _entered(self, first: int, hidden: Tensor) -> Iterator[None]:
        """Let the layers below `first` hand on what they get, and that one begin with `hidden`, within the context."""

        def replace(module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
            return (hidden, *arguments[1:])

        below = [mlp.layer for mlp in self._mlps[:first]]
        for layer in below:
            layer.forward = partial(_handed_on, self._tuples)
        handle = self._mlps[first].layer.register_forward_pre_hook(replace)
        try:
            yield
        finally:
            handle.remove()
            for layer in below:
                del layer.forward


def _length(size: int, ablation: int) -> int:
    """Return the tokens of a copy of a batch."""
    return size


def _handed_on(tuples: bool, hidden: Tensor, *args: Any, **kwargs: Any) -> Any:
    """Return the input of a layer in the form of its output."""
    return (hidden,) if tuples else hidden
