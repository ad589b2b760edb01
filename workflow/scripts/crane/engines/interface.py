"""What every inference engine offers to the evaluations."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from crane.errors import CraneError
from crane.names import NO_MASK
from crane.neurons import NeuronSet
from crane.prompts import Prompt


class EngineError(CraneError, RuntimeError):
    """A model cannot be loaded or asked."""


class Generation(NamedTuple):
    """One answer."""

    text: str
    finish_reason: str
    """`stop`: end of sequence or a stop string; `length`: the token limit."""


class Engine(Protocol):
    """A loaded model whose masks change without loading it again."""

    tokenizer: Any

    def lm(self) -> Any:
        """Return the model as lm-evaluation-harness's `LM`."""

    def masked(self, neurons: NeuronSet, language: str) -> AbstractContextManager[Any]:
        """Mask the neurons of one language while the context lasts."""

    def generate(
        self, prompts: Sequence[Prompt], *, max_new_tokens: int, repetition_penalty: float, context: int
    ) -> list[Generation]:
        """Answer greedily, in the order of the prompts."""


def conditions(engine: Engine, neurons: str | None) -> Iterator[str]:
    """Yield the mask languages of a mask set file one after the other, each while its mask is in force.

    Without a file the model stays unmasked and `NO_MASK` is yielded once.
    """
    if neurons is None:
        yield NO_MASK
        return
    masks = NeuronSet.read_parquet(neurons)
    for language in masks:
        with engine.masked(masks, language):
            yield language
