"""What relevance explains: one number per sample, computed from the model's last hidden states."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from crane.models.families import logit_cap, scaled_logits
from crane.relevance.lrp import Rules, soft_cap

Objective = Literal[
    "next_token_logit", "next_token_logprob", "last_token_max_logit", "next_token_logit_plus_last_max"
]
LOGIT_ROWS = 256
"""Number of positions whose logits over the whole vocabulary, and their gradients, are held at the same time."""


class Head:
    """The map from the last hidden states to the logits."""

    def __init__(self, model: Any, rules: Rules) -> None:
        self._projection = model.get_output_embeddings()
        self._config = model.config
        self._cap = logit_cap(model.config)
        self._rules = rules

    def _logits(self, projected: Tensor) -> Tensor:
        logits = scaled_logits(self._config, projected)
        return logits if self._cap is None else soft_cap(logits, self._cap, self._rules)

    def selected(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """Return the logits `[B, T]` of one token per position without computing the other logits."""
        weight, bias = self._projection.weight, getattr(self._projection, "bias", None)
        logits = (hidden.float() * weight[tokens].float()).sum(-1)
        if bias is not None:
            logits = logits + bias[tokens]
        return self._logits(logits)

    def all(self, hidden: Tensor) -> Tensor:
        """Return all logits, float32 `[..., V]`."""
        return self._logits(self._projection(hidden).float())

    def logprobs(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """Return the log-probabilities `[N]` of tokens `[N]` after states `[N, H]`, in chunks of `LOGIT_ROWS`."""

        def of_chunk(states: Tensor, wanted: Tensor) -> Tensor:
            return self.all(states).log_softmax(-1).gather(1, wanted[:, None]).squeeze(1)

        return _InChunks.apply(hidden, tokens, of_chunk)


class _InChunks(torch.autograd.Function):
    """Applies a function of single positions to chunks of them, and its gradient in the forward pass.

    Each value depends on its own position alone, so its gradient can be scaled in the backward pass. So neither logits
    are kept until then, nor are they computed again.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, tokens: Tensor, function: Callable[..., Tensor]) -> Tensor:
        values, gradients = [], []
        for states, wanted in zip(hidden.split(LOGIT_ROWS), tokens.split(LOGIT_ROWS), strict=True):
            if ctx.needs_input_grad[0]:
                states = states.detach().requires_grad_()
                with torch.enable_grad():
                    part = function(states, wanted)
                    gradients += torch.autograd.grad(part.sum(), states)
            else:
                part = function(states, wanted)
            values.append(part.detach())
        if gradients:
            ctx.save_for_backward(torch.cat(gradients))
        return torch.cat(values)

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return (gradient * given[:, None]).to(gradient.dtype), None, None


def _next_token_logit(hidden: Tensor, ids: Tensor, lengths: Tensor, head: Head) -> Tensor:
    logits = head.selected(hidden[:, :-1], ids[:, 1:])
    predicted = torch.arange(logits.shape[1]) < lengths[:, None] - 1
    return (logits * predicted.to(logits.device)).sum(1) / (lengths - 1).to(logits.device)


def _next_token_logprob(hidden: Tensor, ids: Tensor, lengths: Tensor, head: Head) -> Tensor:
    predicting = (torch.arange(ids.shape[1]) < lengths[:, None] - 1).flatten().nonzero().squeeze(1)
    rows = predicting.to(ids.device)
    logprobs = head.logprobs(hidden.flatten(0, 1)[rows], ids.flatten()[rows + 1])
    return torch.stack([sample.mean() for sample in logprobs.split((lengths - 1).tolist())])


def _last_max_logit(hidden: Tensor, ids: Tensor, lengths: Tensor, head: Head) -> Tensor:
    row, last = torch.arange(len(ids)).to(ids.device), (lengths - 1).to(ids.device)
    return head.all(hidden[row, last]).amax(-1)


def _logit_plus_last_max(hidden: Tensor, ids: Tensor, lengths: Tensor, head: Head) -> Tensor:
    return _next_token_logit(hidden, ids, lengths, head) + _last_max_logit(hidden, ids, lengths, head)


OBJECTIVES: dict[Objective, Callable[[Tensor, Tensor, Tensor, Head], Tensor]] = {
    "next_token_logit": _next_token_logit,
    "next_token_logprob": _next_token_logprob,
    "last_token_max_logit": _last_max_logit,
    "next_token_logit_plus_last_max": _logit_plus_last_max,
}
"""Name -> function of hidden states `[B, T, H]`, ids `[B, T]`, lengths (int64 `[B]`, on the host) and head -> `[B]`.

The first two are means over the positions whose next token is real.
"""
