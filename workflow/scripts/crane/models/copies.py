"""Copies of a batch that pass through a model together, each without neurons of its own."""

from collections.abc import Iterable, Sequence

from torch import Tensor


def without(own: Iterable[tuple[int, Sequence[int]]], copies: int, values: Tensor) -> Tensor:
    """Return a layer's values with some neurons of some copies zeroed.

    Args:
        own: a copy, and the numbers of the neurons that it lacks; copies may be left out.
        copies: C, which stand one behind the other.
        values: `[C * B, T, I]`, or `[C * B * T, I]` of OPT.
    """
    values = values.clone()
    by_copy = values.view(copies, -1, values.shape[-1])
    for copy, neurons in own:
        by_copy[copy, :, list(neurons)] = 0
    return values
