"""The position of every token of a batch in its text, as the model itself counts it."""

from typing import Any

import torch
from torch import Tensor, nn

from crane.models.architectures import decoder


class Positions:
    """Positions of the tokens of the batch that passes through the model now."""

    def __init__(self) -> None:
        self._current: Tensor | None = None

    def rows(self, count: int) -> Tensor:
        """Return int64 `[B, T]`: the row of each token in a table of `count` positions.

        Beyond its last one follow the second and the next ones again: the first position is like no other.

        Raises:
            RuntimeError: layers were called without the model around them.
        """
        if self._current is None:
            raise RuntimeError("the positions of the tokens are not known outside of the model")
        position = self._current.clamp(min=0)
        return torch.where(position < count, position, 1 + (position - 1) % max(1, count - 1)).clamp(
            max=count - 1
        )

    def note(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note the positions of a batch, before the model reads it."""
        given = [args[0]] if args else [kwargs.get("input_ids"), kwargs.get("inputs_embeds")]
        read = next(one for one in given if one is not None)
        rows, length = read.shape[:2]
        stated, mask = kwargs.get("position_ids"), kwargs.get("attention_mask")
        if stated is not None:
            found = stated.expand(rows, length)
        elif (
            isinstance(mask, Tensor) and mask.ndim == 2
        ):  # padding may be on the left, and the cache before it
            found = (mask.long().cumsum(-1) - 1)[:, -length:]
        else:
            cache = kwargs.get("past_key_values")
            past = 0 if cache is None else int(cache.get_seq_length())
            found = torch.arange(past, past + length, device=read.device).expand(rows, length)
        self._current = found


def positions_of(model: Any) -> tuple[Positions, Any]:
    """Return the positions of every batch that a causal language model reads from now on, and the hook's handle."""
    positions = Positions()
    return positions, decoder(model).register_forward_pre_hook(positions.note, with_kwargs=True)
