"""From the relevances of a sample's tokens to one value per neuron."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

Aggregate = Literal["sum", "mean", "sum_abs", "max_abs"]


def _sum(product: Tensor, counted: Tensor) -> Tensor:
    return product.sum(1)


def _mean(product: Tensor, counted: Tensor) -> Tensor:
    return product.sum(1) / counted.sum(1, keepdim=True)


def _sum_abs(product: Tensor, counted: Tensor) -> Tensor:
    return product.abs().sum(1)


def _max_abs(product: Tensor, counted: Tensor) -> Tensor:
    return product.abs().amax(1)


AGGREGATES: dict[Aggregate, Callable[[Tensor, Tensor], Tensor]] = {
    "sum": _sum,
    "mean": _mean,
    "sum_abs": _sum_abs,
    "max_abs": _max_abs,
}
"""Name -> function of relevances `[B, T, I]`, 0 where a token is not counted, and bool `[B, T]` -> `[B, I]`."""


def routed(aggregate: Aggregate, product: Tensor, cell: Tensor, cells: int, counted: Tensor) -> Tensor:
    """Return an aggregate over the tokens that were routed to an expert; at the others its neurons have relevance 0.

    Args:
        aggregate: its name.
        product: relevances `[S, I]`, 0 where a token is not counted.
        cell: int64 `[S]`, the sample and expert of each: sample * E + expert.
        cells: B * E.
        counted: bool `[B, T]`.

    Returns:
        `[B * E, I]`
    """
    found = product.new_zeros(cells, product.shape[1])
    if aggregate == "max_abs":
        return found.index_reduce_(0, cell, product.abs(), "amax")
    found.index_add_(0, cell, product.abs() if aggregate == "sum_abs" else product)
    if aggregate == "mean":
        return found / counted.sum(1).repeat_interleave(cells // len(counted))[:, None]
    return found
