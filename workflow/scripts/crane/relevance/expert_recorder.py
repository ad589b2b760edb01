"""Relevance at the places of a layer's experts, for the identities that the self-test checks."""

from typing import Any

import torch
from torch import Tensor, nn

from crane.models.architectures import Experts
from crane.models.experts import Gate, gate_of
from crane.relevance.expert_rules import clamps_of


class ExpertRecorder:
    """Totals of relevance (value x gradient) in the experts of one layer, NaN where no gradient arrived."""

    def __init__(self, experts: Experts) -> None:
        self._module: Any = experts.module
        self._gate = gate_of(experts)
        self._half: Tensor | None = None
        self.entering = self.neurons = self.leaving = torch.nan
        """At the experts' input, with what the biases of the first layers absorb; at the neurons; at the output,
        without what the biases of the second layers absorb."""
        self.from_half = torch.nan
        """Largest relative error of gate or up against half of the neurons' relevance."""

    def install(self) -> list[Any]:
        """Install the hooks and return their handles."""
        return [
            self._module.register_forward_pre_hook(self._on_input),
            self._module.register_forward_hook(self._on_output),
            self._gate.register_forward_pre_hook(self._on_gate_and_up),
            self._gate.register_forward_hook(self._on_neurons),
        ]

    def _bias(self, name: str) -> Tensor | None:
        bias: Tensor | None = getattr(self._module, name, None)
        return None if bias is None else bias.double()

    def _on_input(self, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        own = inputs[0].view_as(inputs[0])  # the router reads this tensor, too
        self._weights = inputs[2].detach()
        self._chosen = inputs[1]
        if own.requires_grad:
            values = own.detach()
            own.register_hook(lambda gradient: self._add_entering(_total(values, gradient)))
        return (own, *inputs[1:])

    def _add_entering(self, relevance: float) -> None:
        self.entering = self._absorbed + relevance

    def _on_gate_and_up(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(module, Gate)
        values, expert = inputs[0].detach(), module.routing.expert
        clamps = clamps_of(self._module)

        def reduce(gradient: Tensor) -> None:
            relevance = values.double() * gradient.double()
            bias = self._bias("gate_up_proj_bias")
            self._absorbed = 0.0 if bias is None else float((bias[expert] * gradient.double()).sum())
            at_gate, at_up = module.split(relevance)
            if clamps is not None:  # the 1 in (up + 1)
                up, of_up = module.split(values)[1].double(), module.split(gradient)[1].double()
                ones = of_up / clamps.up_quotient(up)
                self._absorbed += float(ones.sum())
                at_up = at_up + ones
            if self._half is not None:
                largest = self._half.abs().max()
                errors = [(part - self._half).abs().max() / largest for part in (at_gate, at_up)]
                self.from_half, self._half = float(torch.stack(errors).max()), None

        if inputs[0].requires_grad:
            inputs[0].register_hook(reduce)

    def _on_neurons(self, module: nn.Module, inputs: Any, neurons: Tensor) -> None:
        values = neurons.detach()

        def reduce(gradient: Tensor) -> None:
            relevance = values.double() * gradient.double()
            self.neurons, self._half = float(relevance.sum()), relevance / 2

        if neurons.requires_grad:
            neurons.register_hook(reduce)

    def _on_output(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        values, weights, chosen = output.detach(), self._weights, self._chosen

        def reduce(gradient: Tensor) -> None:
            self.leaving = _total(values, gradient)
            bias = self._bias("down_proj_bias")
            if bias is not None:
                written = (bias[chosen] * weights.double().unsqueeze(-1)).sum(1)
                self.leaving -= float((written * gradient.double()).sum())

        if output.requires_grad:
            output.register_hook(reduce)


def _total(values: Tensor, gradient: Tensor) -> float:
    return float((values.double() * gradient.double()).sum())
