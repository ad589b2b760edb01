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
