"""The interface of the inference engines, and what they share."""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from crane.errors import CraneError
from crane.models.configuration import stated_ends

if TYPE_CHECKING:  # who only renders prompts needs no PyTorch
    from crane.models.architectures import Site
    from crane.neurons.changes import Change
    from crane.neurons.neuron_set import NeuronSet

log = logging.getLogger(__name__)


class EngineError(CraneError, RuntimeError):
    """A model cannot be loaded or evaluated."""


class Prompt(NamedTuple):
    """A tokenised prompt and the strings that end its answer."""

    ids: list[int]
    stop: tuple[str, ...]


class Question(NamedTuple):
    """A tokenised multiple-choice question.

    Choice i follows `contexts[i]`, or the only context if the choices share it.
    """

    contexts: list[list[int]]
    choices: list[list[int]]

    def pairs(self) -> list[tuple[list[int], list[int]]]:
        """Return (context, choice) of every choice."""
        contexts = self.contexts * len(self.choices) if len(self.contexts) == 1 else self.contexts
        return list(zip(contexts, self.choices, strict=True))

    def one_request(self) -> bool:
        """Whether the distribution of one next token scores all choices: they are single tokens after one context."""
        return len(self.contexts) == 1 and all(len(choice) == 1 for choice in self.choices)


def questions(prompts: pd.DataFrame) -> list[Question]:
    """Return the rows of `crane.evaluation.prompts.render_benchmark`, as read from a file, for an engine."""
    return [
        Question(
            [np.asarray(ids).tolist() for ids in contexts], [np.asarray(ids).tolist() for ids in choices]
        )
        for contexts, choices in zip(prompts["contexts"], prompts["choices"], strict=True)
    ]


class Generation(NamedTuple):
    """One answer."""

    text: str
    finish_reason: str
    """`stop`: end of sequence or a stop string; `length`: the token limit."""


def room(prompts: Sequence[Prompt], context: int, limit: int) -> int:
    """Return the effective context length: `context`, reduced to the model's `limit` with a warning.

    Raises:
        EngineError: a prompt leaves no room for an answer.
    """
    if context > limit:
        log.warning("context %d exceeds the model's own %d; using the model's", context, limit)
        context = limit
    longest = max((len(prompt.ids) for prompt in prompts), default=0)
    if longest >= context:
        raise EngineError(f"a prompt of {longest} tokens leaves no room in a context of {context}")
    return context


def end_tokens(folder: str | Path, tokenizer: Any, config: Any) -> set[int]:
    """Return the tokens that end an answer: the tokenizer's own, and those that the model folder states.

    Raises:
        ModelError: see `crane.models.configuration.stated_ends`.
    """
    return {tokenizer.eos_token_id, *stated_ends(folder, config)} - {None}


def check_length(samples: Sequence[Sequence[int]], limit: int) -> None:
    """Raise `EngineError` if a sample is longer than the `limit` tokens that a model can read."""
    longest = max(map(len, samples), default=0)
    if longest > limit:
        raise EngineError(
            f"a text of {longest} tokens is longer than the {limit} that the model can read; lower max_tokens"
        )


def read_answer(tokens: Sequence[int], stop: Sequence[str], tokenizer: Any, ends: set[int]) -> Generation:
    """Return the text of generated tokens up to an end token or stop string; the same for every engine."""
    end = next((i for i, token in enumerate(tokens) if token in ends), None)
    text = tokenizer.decode(list(tokens[:end]), skip_special_tokens=True)
    cuts = [text.index(s) for s in stop if s in text]
    if cuts:
        text = text[: min(cuts)]
    return Generation(text.strip(), "length" if end is None and not cuts else "stop")


class Engine(Protocol):
    """A loaded model whose masks change without reloading it."""

    tokenizer: Any

    def masked(
        self, neurons: "NeuronSet", language: str, *, scale: float = 0.0, values: np.ndarray | None = None
    ) -> AbstractContextManager[Any]:
        """Multiply the outputs of one language's neurons by `scale` (0 masks them) within the context.

        With `values` `[K, I]` the neurons are set to these values instead, with `[P, K, I]` to those of their position
        (`crane.neurons.interventions.masked`).
        """

    def changed(self, change: "Change", site: "Site") -> AbstractContextManager[Any]:
        """Change neurons within the context (`crane.neurons.changes.changed`).

        Raises:
            EngineError, UnsupportedModelError: the engine or the model cannot make the change.
        """

    def score(self, questions: Sequence[Question]) -> list[np.ndarray]:
        """Return the log-likelihood (nats) of every choice, float32, in the order of the questions."""

    def generate(
        self, prompts: Sequence[Prompt], *, max_new_tokens: int, repetition_penalty: float, context: int
    ) -> list[Generation]:
        """Answer greedily, in the order of the prompts."""

    def log_likelihoods(self, samples: Sequence[Sequence[int]]) -> list[float]:
        """Return the log-likelihood (nats) of each sample's tokens after the first, in the order of the samples."""
