"""The experts of a model, with hooks on their neurons.

transformers computes the experts of a layer together: tokens sorted by expert, one grouped matrix product, the gate of
the experts' class, `_apply_gate`, a second product, the router's weights, a sum. An instance's own gate is the place at
which rules and hooks see the neurons; everything else is transformers' own, so that no output changes by a bit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from crane.models.architectures import Experts, blocks
from crane.models.families import UnsupportedModelError

_KNOWN = ("grouped_mm", "batched_mm")
"""Ways of computing experts in which the gate sees all rows at once; on a GPU, `generate` changes to the second."""
_GATE = "_apply_gate"
"""The method of transformers 5.19 that makes neurons of the first linear layers' outputs."""


class Routing(NamedTuple):
    """What the rows of an experts' tensor belong to."""

    token: Tensor
    """int64 `[S]`: number within `[B * T]`."""
    expert: Tensor
    """int64 `[S]`"""


class Gate(nn.Module):
    """Stands in for the gate of some experts: `[S, 2 I]` -> neurons `[S, I]`, S = tokens x experts of each."""

    def __init__(self, experts: Experts) -> None:
        super().__init__()
        self._experts: list[Any] = [experts.module]  # in a list, or it would be a module of the gate
        self.original = getattr(experts.module, _GATE)
        self._chosen: Tensor | None = None
        self._routing: Routing | None = None

    def forward(self, gate_and_up: Tensor) -> Tensor:
        """Return the neurons, as the experts' class computes them."""
        return self.original(gate_and_up)

    @property
    def experts(self) -> Any:
        """Return the module whose gate this is."""
        return self._experts[0]

    def split(self, gate_and_up: Tensor) -> tuple[Tensor, Tensor]:
        """Return views of the gate and of the other factor, `[S, I]` each."""
        if self.experts.is_concatenated:
            gate, up = gate_and_up.chunk(2, -1)
            return gate, up
        return gate_and_up[..., ::2], gate_and_up[..., 1::2]

    @property
    def routing(self) -> Routing:
        """Return what the rows belong to in the forward pass that is going on or was the last."""
        if self._routing is None:
            assert self._chosen is not None
            expert, of_token = self._chosen.reshape(-1), self._chosen.shape[-1]
            if self.experts.config._experts_implementation == "batched_mm":
                order = torch.arange(len(expert), device=expert.device)
            else:
                expert, order = torch.sort(expert)  # as transformers sorts them
            self._routing = Routing(order.div(of_token, rounding_mode="floor"), expert)
        return self._routing

    def note(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Note where the tokens go: a forward pre-hook of the experts."""
        self._chosen, self._routing = inputs[1], None


def gate_of(experts: Experts) -> Gate:
    """Return the gate of experts within the context of `open_gates`."""
    return vars(experts.module)[_GATE]


@contextmanager
def open_gates(model: Any) -> Iterator[None]:
    """Give the experts of a model gates with hooks within the context; contexts may be nested.

    Raises:
        UnsupportedModelError: an unknown model family, or experts whose neurons cannot be seen.
    """
    opened = []
    try:
        for block in blocks(model):
            if block.experts is None:
                continue
            module: Any = block.experts.module
            implementation = module.config._experts_implementation
            if implementation not in _KNOWN:
                raise UnsupportedModelError(
                    f"experts computed by {implementation!r} do not show their neurons; load the model in bfloat16 or "
                    "float32 with experts_implementation='grouped_mm'"
                )
            if _GATE not in vars(module):
                gate = Gate(block.experts)
                # In its dictionary: as an attribute it would be a module of the model.
                vars(module)[_GATE] = gate
                opened.append((module, module.register_forward_pre_hook(gate.note)))
        yield
    finally:
        for module, handle in opened:
            handle.remove()
            del vars(module)[_GATE]
