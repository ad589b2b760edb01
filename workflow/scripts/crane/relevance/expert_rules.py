"""LRP rules of experts, on the instances of one model.

An expert's neurons follow the rules of a gated MLP. What is multiplied by the router's weights needs one more rule: a
single masked neuron cannot change the routing of its own layer, so for it these weights are constants, and relevance is
conserved; the uniform rule gives half of it to the router.
"""

from contextlib import ExitStack
from functools import partial
from typing import Any, Literal

from torch import Tensor, nn

from crane.models.architectures import Block
from crane.models.experts import Gate, gate_of
from crane.relevance.installation import change_output, replace
from crane.relevance.rules import Clamps, clamped_product, gated_product, stop, uniform

Router = Literal["constant", "uniform"]
ROUTERS: tuple[Router, ...] = ("constant", "uniform")


def install_in_experts(undo: ExitStack, block: Block, router: Router, constant_gate: bool) -> None:
    """Install the rules on the experts of one layer, whose gates are open, until `undo` is closed.

    Args:
        undo: closed at the end.
        block: the layer's, with experts.
        router: the rule for the product of an expert's output and its weight.
        constant_gate: CP-LRP instead of AttnLRP inside the experts.

    Raises:
        ValueError: an unknown rule.
    """
    if router not in ROUTERS:
        raise ValueError(f"unknown router rule {router!r}; known: {', '.join(ROUTERS)}")
    experts = block.experts
    assert experts is not None
    gate = gate_of(experts)
    replace(undo, gate, "forward", partial(_neurons, gate, gate.forward, constant_gate))
    if router == "constant":
        undo.callback(experts.module.register_forward_pre_hook(_constant_weights).remove)
        shared_rule = stop
    else:
        # What follows the product is linear: the gradient may as well be halved at the sum of the experts.
        shared_rule = partial(uniform, parts=2)
        change_output(undo, experts.module, shared_rule)
        if block.mlp is not None:
            change_output(undo, block.mlp.module, shared_rule)
    if experts.shared_gate is not None:
        change_output(undo, experts.shared_gate, shared_rule)


def _constant_weights(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    hidden, chosen, weights = inputs
    return hidden, chosen, stop(weights)


def clamps_of(experts: Any) -> Clamps | None:
    """Return the bounds of gpt-oss's experts, or None for other families."""
    limit = getattr(experts, "limit", None)
    return None if limit is None else Clamps(limit, experts.alpha)


def _neurons(gate: Gate, original: Any, constant_gate: bool, gate_and_up: Tensor) -> Tensor:
    at_gate, up = gate.split(gate_and_up)
    clamps = clamps_of(gate.experts)
    if clamps is not None:
        return clamped_product(
            at_gate, up, partial(original, gate_and_up), clamps, constant_gate=constant_gate
        )
    if constant_gate:
        return gate.experts.act_fn(stop(at_gate)) * up
    return gated_product(at_gate, up, gate.experts.act_fn)
