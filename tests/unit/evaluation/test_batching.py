"""Batches counted in tokens, and what happens when memory runs out."""

import pytest
import torch
from crane.evaluation.batching import TokenBudget
from crane.evaluation.engine import EngineError


def batches(budget, lengths, fits=10**9):
    """Return the lengths of every batch that was processed; larger ones than `fits` tokens run out of memory."""
    made, finished = [], []

    def process(batch):
        if max(batch) * len(batch) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        made.append(batch)

    budget.run(lengths, lambda length: length, process, done=finished.append)
    assert sum(finished) == len(lengths)
    return made


def test_a_batch_holds_as_many_tokens_as_the_budget_padding_included():
    assert batches(TokenBudget(20), [3, 9, 5, 10, 4, 2]) == [[10, 9], [5, 4, 3, 2]]


def test_a_row_longer_than_the_budget_goes_alone():
    assert batches(TokenBudget(4), [9, 2, 2]) == [[9], [2, 2]]


def test_out_of_memory_halves_the_budget_for_all_that_follows(capsys):
    budget = TokenBudget(64)
    made = batches(budget, [8] * 8 + [4] * 8, fits=32)
    assert [len(batch) for batch in made] == [4, 4, 8]
    assert budget.tokens == 32
    assert "out of memory: batches of 32 tokens from here on" in capsys.readouterr().out
    assert [len(batch) for batch in batches(budget, [8] * 8, fits=32)] == [4, 4]


def test_a_row_that_does_not_fit_alone_is_an_error():
    with pytest.raises(EngineError, match="one row of 9 tokens does not fit into the GPU's memory"):
        batches(TokenBudget(64), [9, 2], fits=8)
