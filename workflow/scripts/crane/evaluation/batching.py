"""Batches counted in tokens, padding included, and halved when memory runs out."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from crane.evaluation.engine import EngineError

Item = TypeVar("Item")


class TokenBudget:
    """The number of tokens that go through the model in one batch.

    It affects speed and memory only. When memory runs out the budget is halved for all later batches.

    Args:
        tokens: tokens of a batch: rows times the longest row.
    """

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

    def rows(self, longest: int) -> int:
        """Return how many rows of a length fit, at least one."""
        return max(1, self.tokens // longest)

    def run(
        self,
        items: Sequence[Item],
        length: Callable[[Item], int],
        process: Callable[[list[Item]], None],
        *,
        done: Callable[[int], None] = lambda count: None,
    ) -> None:
        """Process items in batches, longest first, so that too large a batch fails at the start.

        Args:
            items: the items.
            length: tokens of an item, including those that will be generated.
            process: called with each batch; called again with smaller ones if memory runs out.
            done: called with the number of items of each finished batch.

        Raises:
            EngineError: a single item does not fit into memory.
        """
        waiting = sorted(items, key=length, reverse=True)
        while waiting:
            batch = waiting[: self.rows(length(waiting[0]))]
            try:
                process(batch)
            except torch.OutOfMemoryError as error:
                if len(batch) == 1:
                    raise EngineError(
                        f"one row of {length(batch[0])} tokens does not fit into the GPU's memory; use a larger GPU"
                    ) from error
                self.tokens = length(batch[0]) * max(1, len(batch) // 2)
                torch.cuda.empty_cache()
                print(f"out of memory: batches of {self.tokens} tokens from here on", flush=True)
                continue
            done(len(batch))
            waiting = waiting[len(batch) :]
