"""Columns of the tables of statistics as arrays: with experts, every neuron has tokens of its own."""

import numpy as np
import pandas as pd
import pytest
import torch
from crane.selection.choose import choose
from crane.selection.columns import activation_probability, activations

LANGUAGES = ["en", "vi"]


def table(tokens: np.ndarray, active: np.ndarray) -> pd.DataFrame:
    """Return a table of counters `[L, K, I]`, its rows in any order."""
    rows = [
        {"language": code, "layer": k, "neuron": i, "tokens": tokens[row, k, i], "active": active[row, k, i]}
        for row, code in enumerate(LANGUAGES)
        for k in range(tokens.shape[1])
        for i in range(tokens.shape[2])
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


@pytest.fixture
def counters() -> tuple[np.ndarray, np.ndarray]:
    """Return tokens and active tokens of two languages, two layers and 40 neurons."""
    random = np.random.default_rng(0)
    tokens = random.integers(1, 50, (2, 2, 40))
    return tokens, random.binomial(tokens, random.random((2, 2, 40)))


def test_tokens_of_a_language_are_one_number(counters: tuple[np.ndarray, np.ndarray]) -> None:
    same = np.broadcast_to(np.array([100, 70])[:, None, None], (2, 2, 40))
    found = activations(table(same, counters[1]), LANGUAGES)
    assert found.tokens.tolist() == [100, 70]
    assert (found.active.numpy() == counters[1]).all()


def test_tokens_of_experts_are_those_of_each_neuron(counters: tuple[np.ndarray, np.ndarray]) -> None:
    tokens, active = counters
    found = activations(table(tokens, active), LANGUAGES)
    assert (found.tokens.numpy() == tokens).all()
    assert (activation_probability(*found) == active / tokens).all()


def test_what_has_seen_no_token_is_never_active() -> None:
    found = activation_probability(torch.tensor([[[0, 3]]]), torch.tensor([[[0, 4]]]))
    assert found.tolist() == [[[0.0, 0.75]]]


@pytest.mark.parametrize("method", ["lape", "ternary"])
def test_methods_rank_by_the_share_of_routed_tokens(
    counters: tuple[np.ndarray, np.ndarray], method: str
) -> None:
    """As if all neurons had seen as many tokens, and were active as often."""
    tokens, active = counters
    settings = {"method": method, "top_rate": 0.2, "activation_bar_ratio": 0.5}
    settings |= {"filter_rate": 0.5} if method == "lape" else {"kind": "any", "weight": 0.1}
    every = 10**12
    scaled = np.round(active / tokens * every).astype(np.int64)
    found, _ = choose(table(tokens, active), settings, LANGUAGES)
    expected, _ = choose(table(np.full_like(tokens, every), scaled), settings, LANGUAGES)
    assert found == expected
