"""Relevance at named places of a model, for the identities that the self-test checks."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from crane.models.architectures import MLP, blocks, norms
from crane.relevance.expert_recorder import ExpertRecorder
from crane.relevance.mlp_hooks import start_graph

_JOINT = "gate_and_up"


def first_places(mlp: MLP) -> tuple[str, ...]:
    """Return the names of the outputs of an MLP's first linear layers: one name if they are one layer."""
    if mlp.fused:
        return (_JOINT,)
    return ("up",) if mlp.gate is None else ("gate", "up")


class Recorder:
    """Relevance (value x gradient) at named places, reduced as soon as a gradient exists.

    A place has a name and a number: of the layer, or of the norm. Only one full tensor is kept: half of the
    intermediate's relevance in the layer that the backward pass has reached, which gate and up need next. Those of all
    layers would not fit next to a model with billions of parameters.
    """

    def __init__(self) -> None:
        self._totals: dict[tuple[str, int], Tensor] = {}
        self._biases: dict[tuple[str, int], Tensor] = {}
        self._from_half: dict[tuple[str, int], Tensor] = {}
        self._half: dict[int, Tensor] = {}
        self.experts: list[ExpertRecorder] = []
        """Of each layer with experts."""

    def watch(self, name: str, number: int, values: Tensor, bias: Tensor | None = None) -> None:
        """Reduce the relevance of `values` `[..., n]`, and of their `bias` `[n]`, as soon as their gradient exists."""
        detached = values.detach()

        def reduce(gradient: Tensor) -> None:
            relevance = detached.double() * gradient.double()
            self._totals[name, number] = relevance.sum()
            if bias is not None:
                self._biases[name, number] = bias.double() @ gradient.double().flatten(0, -2).sum(0)
            if name == "intermediate":
                self._half = {number: relevance / 2}
            elif name in ("gate", "up", _JOINT) and number in self._half:
                half = self._half[number]
                if name == _JOINT:
                    half = torch.cat([half, half], -1)
                self._from_half[name, number] = relative_error(relevance, half)

        if values.requires_grad:
            values.register_hook(reduce)

    def arrived(self, name: str, number: int) -> bool:
        """Return whether a gradient arrived at a place."""
        return (name, number) in self._totals

    def total(self, name: str, number: int) -> float:
        """Return the sum of the relevance at a place, NaN where no gradient arrived."""
        return float(self._totals.get((name, number), torch.nan))

    def bias_share(self, name: str, number: int) -> float:
        """Return the relevance that a bias absorbs, 0 without bias or gradient."""
        return float(self._biases.get((name, number), 0.0))

    def from_half(self, name: str, number: int) -> float:
        """Return the relative error of gate or up against half of the intermediate, NaN without a gradient."""
        return float(self._from_half.get((name, number), torch.nan))


def relative_error(measured: Tensor, expected: Tensor) -> Tensor:
    """Return the largest difference relative to the largest expected value, 0-d float64, NaN if any is NaN."""
    return (measured - expected).abs().max().double() / expected.abs().max().double()


@contextmanager
def recording(model: Any) -> Iterator[Recorder]:
    """Record relevance within the context, which is within one of `crane.relevance.attribution.attribution`.

    Places of a layer: `residual` (its input), `mlp_input`, `gate` and `up`, or `gate_and_up`, `intermediate`,
    `mlp_output`; of a norm: `norm_input` and `norm_output`. Experts have recorders of their own.
    """
    recorder = Recorder()
    handles: list[Any] = []

    def before(module: nn.Module, name: str, number: int) -> None:
        handles.append(module.register_forward_pre_hook(partial(_on_input, recorder, name, number)))

    def after(module: nn.Module, name: str, number: int, linear: nn.Module) -> None:
        bias = getattr(linear, "bias", None)
        handles.append(module.register_forward_hook(partial(_on_output, recorder, name, number, bias)))

    # Relevance alone needs no graph below the first MLP's neurons.
    handles.append(blocks(model)[0].module.register_forward_pre_hook(start_graph))
    for k, block in enumerate(blocks(model)):
        before(block.layer, "residual", k)
        if block.experts is not None:
            of_layer = ExpertRecorder(block.experts)
            recorder.experts.append(of_layer)
            handles += of_layer.install()
        mlp = block.mlp
        if mlp is None:
            continue
        before(mlp.module, "mlp_input", k)
        before(mlp.down, "intermediate", k)
        after(mlp.up, _JOINT if mlp.fused else "up", k, mlp.up)
        if mlp.gate is not None:
            after(mlp.gate, "gate", k, mlp.gate)
        after(mlp.down, "mlp_output", k, mlp.down)
    for number, norm in enumerate(norms(model)):
        before(norm.module, "norm_input", number)
        after(norm.module, "norm_output", number, norm.module)
    try:
        yield recorder
    finally:
        for handle in handles:
            handle.remove()


_SHARED = ("mlp_input", "norm_input")
"""Places whose tensor others read, too: what passes into the module is a node of its own."""


def _on_input(
    recorder: Recorder, name: str, number: int, module: nn.Module, inputs: tuple[Tensor, ...]
) -> tuple[Tensor, ...] | None:
    if name not in _SHARED:
        recorder.watch(name, number, inputs[0])
        return None
    own = inputs[0].view_as(inputs[0])
    recorder.watch(name, number, own)
    return (own, *inputs[1:])


def _on_output(
    recorder: Recorder,
    name: str,
    number: int,
    bias: Tensor | None,
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    output: Tensor,
) -> None:
    recorder.watch(name, number, output, bias)
