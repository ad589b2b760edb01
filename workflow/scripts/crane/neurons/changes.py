"""Changes of neurons that are the same at every token: zero, scale, set and add, at the neuron's value or at its gate.

Each of them is x -> factor x + shift: zero has 0 and 0, scale a and 0, set 0 and v, add 1 and c. Several at one neuron,
one after another, are such a change again, so that "deactivate one language, activate another" (steering) costs no more
than a mask. A neuron's value is a = act_fn(gate) up, the input of the down projection; its gate is act_fn(gate), which
most steering in the literature edits. With factor f and without a shift both are the same, f a; with a shift they are
not: the gate's becomes f a + shift up.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, reduce
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from crane.models.architectures import Block, Experts, Site, blocks
from crane.models.experts import Gate, gate_of, open_gates
from crane.models.families import UnsupportedModelError
from crane.neurons.neuron_set import Indices

EditSite = Literal["value", "gate"]


class Step(NamedTuple):
    """One operation on some neurons."""

    neurons: Mapping[int, Indices]
    """Layer -> neurons."""
    factor: float
    shift: np.ndarray | float
    """Float64 `[K, I]`, or one number for all neurons."""


class Change(NamedTuple):
    """Factor and shift of some neurons, by layer in the order of the neurons."""

    site: EditSite
    neurons: Mapping[int, Indices]
    factors: Mapping[int, np.ndarray]
    """Float64 `[n]`."""
    shifts: Mapping[int, np.ndarray]
    """Float64 `[n]`."""

    def deciding(self) -> dict[str, str]:
        """Return what tells the change from others, as JSON values."""
        layers = [
            [layer, index.tolist(), self.factors[layer].tolist(), self.shifts[layer].tolist()]
            for layer, index in sorted(self.neurons.items())
        ]
        return {"edited": self.site, "change": hashlib.sha256(repr(layers).encode()).hexdigest()}


def composed(site: EditSite, steps: Sequence[Step]) -> Change:
    """Return the change that steps make one after another; a neuron of several steps gets all of them, in order."""
    neurons, factors, shifts = {}, {}, {}
    for layer in sorted({layer for step in steps for layer in step.neurons}):
        of_steps = [step.neurons.get(layer, np.empty(0, np.int64)) for step in steps]
        every = reduce(np.union1d, of_steps).astype(np.int64)
        factor, shift = np.ones(len(every)), np.zeros(len(every))
        for step, index in zip(steps, of_steps, strict=True):
            at = np.searchsorted(every, index)
            added = step.shift if isinstance(step.shift, float) else step.shift[layer, index]
            factor[at] *= step.factor
            shift[at] = shift[at] * step.factor + added
        neurons[layer], factors[layer], shifts[layer] = every, factor, shift
    return Change(site, neurons, factors, shifts)


@contextmanager
def changed(model: Any, change: Change, site: Site = "intermediate") -> Iterator[Any]:
    """Change neurons of a Hugging Face model by hooks within the context; no weight is touched.

    A neuron of an expert is changed at the tokens routed to it.

    Args:
        model: a causal language model.
        change: what is done, to neurons that the model has.
        site: where the neurons are.

    Raises:
        UnsupportedModelError: a change of gates that the model does not have, or does not show: of an MLP without a
            gate, of experts, or at site `residual_write`.
    """
    layers = blocks(model)
    if change.site == "gate":
        check_gates(layers, site)
    handles: list[Any] = []
    try:
        with open_gates(model):
            for layer, index in change.neurons.items():
                if len(index):
                    linear = change.factors[layer], change.shifts[layer]
                    handles += _hooks(layers[layer], change.site, site, index, *linear)
            yield model
    finally:
        for handle in handles:
            handle.remove()


def check_gates(layers: Sequence[Block], site: Site) -> None:
    """Raise `UnsupportedModelError` unless neurons have gates of their own that hooks can change."""
    if site != "intermediate":
        raise UnsupportedModelError(
            f"an intervention at the gate needs neurons inside the MLP, not at site {site}; set site: value"
        )
    if any(block.experts is not None for block in layers):
        raise UnsupportedModelError(
            "experts compute gate and neuron in one step, so that nothing can change the gate; set site: value"
        )
    if not all(block.mlp is not None and block.mlp.gated for block in layers):
        raise UnsupportedModelError(
            "an intervention at the gate needs MLPs with a gate; in this model the activation is the neuron's value: "
            "set site: value"
        )


def _hooks(
    block: Block, edited: EditSite, site: Site, index: Indices, factors: np.ndarray, shifts: np.ndarray
) -> list[Any]:
    """Hook one layer; return the hooks' handles."""
    handles = []
    first = block.mlp_neurons.start
    routed, own = index < first, index >= first
    if block.experts is not None and routed.any():
        handles.append(_in_experts(block.experts, index[routed], factors[routed], shifts[routed]))
    if block.mlp is not None and own.any():
        linear = _Linear(index[own] - first, factors[own], shifts[own])
        if edited == "gate":
            hook = block.mlp.activation.register_forward_hook(lambda module, inputs, gate: linear.put(gate))
        else:
            hook = block.mlp.at_site(site, linear.put)
        handles.append(hook)
    return handles


class _Linear:
    """Factor and shift of some neurons of one layer."""

    def __init__(self, index: Indices, factors: np.ndarray, shifts: np.ndarray) -> None:
        self._index = torch.as_tensor(index)
        self._factors, self._shifts = torch.as_tensor(factors), torch.as_tensor(shifts)

    def put(self, tensor: Tensor) -> Tensor:
        """Return `[B, T, I]`, or `[B * T, I]` of OPT, with the neurons changed."""
        self._index = self._index.to(tensor.device)
        self._factors, self._shifts = self._factors.to(tensor), self._shifts.to(tensor)
        values = tensor.index_select(-1, self._index) * self._factors + self._shifts
        return tensor.index_copy(-1, self._index, values)


def _in_experts(experts: Experts, index: Indices, factors: np.ndarray, shifts: np.ndarray) -> Any:
    groups, weight = experts.groups, experts.written()
    factor, shift = torch.ones(groups.routed), torch.zeros(groups.routed)
    factor[torch.as_tensor(index)] = torch.as_tensor(factors).float()
    shift[torch.as_tensor(index)] = torch.as_tensor(shifts).float()
    grids = [grid.view(groups.experts, groups.width).to(weight) for grid in (factor, shift)]
    return gate_of(experts).register_forward_hook(partial(_on_neurons, *grids))


def _on_neurons(factor: Tensor, shift: Tensor, gate: Any, inputs: Any, neurons: Tensor) -> Tensor:
    assert isinstance(gate, Gate)
    expert = gate.routing.expert
    return neurons * factor[expert] + shift[expert]
