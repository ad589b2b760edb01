"""The layer sweep: relevance of many batches layer by layer, with one layer's graph in memory at a time.

A sweep passes over the layers twice. Forward, every batch runs through layer after layer without a graph, and the
input of each layer is kept. Backward, every batch runs through each layer again, with a graph, which is freed at once.
So the memory is that of one layer and one batch, and of the layers' inputs, at the price of a second forward pass
(torch.utils.checkpoint would keep as little, but counts activations twice, and needs all weights on the device).

What lies before the first layer and behind the last one (embeddings, masks, rotary tables, the last norm) is the
model's own forward pass, in which the layers only note their arguments; no code here knows a model family.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from crane.models.architectures import blocks
from crane.models.families import family_of
from crane.models.layer_store import LayerStore
from crane.relevance.attribution import Attribution
from crane.relevance.passage import Passage

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Role = Callable[..., Any]


class _Beginning(NamedTuple):
    """What a batch brings to the layers."""

    hidden: Tensor
    """Input of the first layer, `[B, T, H]`."""
    arguments: list[Arguments]
    """What every layer is called with besides."""


class LayerSweep:
    """A way of taking batches through a model, made by `layer_sweep`."""

    def __init__(self, model: Any, store: LayerStore) -> None:
        self._tuples = family_of(model.config).tuples
        self._layers = [block.layer for block in blocks(model)]
        self._own = [layer.forward for layer in self._layers]
        self.store = store
        self._role: Role = self._ordinary

    # What a layer does when it is called -------------------------------------------------------------------

    def _ordinary(self, number: int, hidden: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Run within an ordinary call of the model, which gives outputs but no gradients."""
        with torch.no_grad(), self.store.on(number, range(number + 1, len(self._layers))):
            return self._own[number](hidden, *args, **kwargs)

    def _run(self, number: int, hidden: Tensor, *args: Any, **kwargs: Any) -> Any:
        return self._own[number](hidden, *args, **kwargs)

    @contextmanager
    def _as(self, role: Role) -> Iterator[None]:
        self._role = role
        try:
            yield
        finally:
            self._role = self._ordinary

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Let the layers follow their roles within the context."""
        if any("forward" in vars(layer) for layer in self._layers):
            raise RuntimeError("this model is in a layer sweep already; leave that context first")
        for number, layer in enumerate(self._layers):
            layer.forward = partial(self._called, number)
        try:
            yield
        finally:
            for layer in self._layers:
                del layer.forward

    def _called(self, number: int, hidden: Tensor, *args: Any, **kwargs: Any) -> Any:
        return self._role(number, hidden, *args, **kwargs)

    def _layer(self, number: int, hidden: Tensor, arguments: Arguments) -> Tensor:
        """Run a layer whose weights are on the device, with the hooks on it."""
        args, kwargs = arguments
        with self._as(self._run):
            output = self._layers[number](hidden, *args, **kwargs)
        return output[0] if self._tuples else output

    def _given(self, hidden: Tensor) -> Any:
        """Return hidden states as a layer of the family returns them."""
        return (hidden,) if self._tuples else hidden

    # The sweep -----------------------------------------------------------------------------------------------

    def __call__(self, attribute: Attribution, passages: Sequence[Passage]) -> None:
        """Fill the relevance of every passage.

        Raises:
            ValueError: the attribution is of another model, or the context of `layer_sweep` has ended.
        """
        if attribute.blocks[0].layer is not self._layers[0] or "forward" not in vars(self._layers[0]):
            raise ValueError("this layer sweep is of another model, or has ended")
        beginnings = [self._begin(attribute, passage) for passage in passages]
        inputs = self._forward(beginnings)
        gradients = [
            self._end(attribute, passage, own.pop()) for passage, own in zip(passages, inputs, strict=True)
        ]
        self._backward(attribute, passages, beginnings, inputs, gradients)

    @torch.no_grad()
    def _begin(self, attribute: Attribution, passage: Passage) -> _Beginning:
        first: list[Tensor] = []
        arguments: list[Arguments] = []

        def note(number: int, hidden: Tensor, *args: Any, **kwargs: Any) -> Any:
            if number == 0:
                first.append(hidden)
            arguments.append((args, kwargs))
            return self._given(hidden)

        with self._as(note):
            attribute.hidden(passage.input_ids)
        return _Beginning(first[0], arguments)

    @torch.no_grad()
    def _forward(self, beginnings: Sequence[_Beginning]) -> list[list[Tensor]]:
        """Return, for every batch, the input of each layer and the output of the last one, `[B, T, H]` each."""
        inputs = [[beginning.hidden] for beginning in beginnings]
        for number in range(len(self._layers)):
            with self.store.on(number, range(number + 1, len(self._layers))):
                for own, beginning in zip(inputs, beginnings, strict=True):
                    own.append(self._layer(number, own[-1], beginning.arguments[number]))
        return inputs

    def _end(self, attribute: Attribution, passage: Passage, last: Tensor) -> Tensor:
        """Return the gradient of the objective at the last layer's output."""
        last = last.detach().requires_grad_()

        def give(number: int, hidden: Tensor, *args: Any, **kwargs: Any) -> Any:
            return self._given(last if number == len(self._layers) - 1 else hidden)

        with self._as(give), torch.enable_grad():
            objective = attribute.explained(attribute.hidden(passage.input_ids), passage)
        (gradient,) = torch.autograd.grad(objective.sum(), last)
        return gradient

    def _backward(
        self,
        attribute: Attribution,
        passages: Sequence[Passage],
        beginnings: Sequence[_Beginning],
        inputs: list[list[Tensor]],
        gradients: list[Tensor],
    ) -> None:
        for number in reversed(range(len(self._layers))):
            with self.store.on(number, range(number - 1, -1, -1)):
                for batch, passage in enumerate(passages):
                    # Below the first layer there are no neurons.
                    x = inputs[batch].pop().detach().requires_grad_(number > 0)
                    with attribute.hooked(passage), torch.enable_grad():
                        output = self._layer(number, x, beginnings[batch].arguments[number])
                        output.backward(gradients[batch])
                    if number > 0:
                        assert x.grad is not None
                        gradients[batch] = x.grad


@contextmanager
def layer_sweep(
    model: Any, *, device: str | torch.device, resident: int | None = None
) -> Iterator[LayerSweep]:
    """Let a model run layer by layer within the context: `attribution(model, passing=sweep)`, and ordinary calls.

    What is not a decoder layer moves to the device. Ordinary calls give outputs without gradients. Afterwards the
    weights stay where they are: `model.to(device)` brings them together again.

    Args:
        model: a Hugging Face causal language model, in host memory or on the device.
        device: where it runs.
        resident: how many layers stay on the device, by default all; the others are copied there from host memory
            twice per sweep.

    Raises:
        UnsupportedModelError: an unknown model family.
        RuntimeError: the model is in a layer sweep already.
    """
    layers = [block.layer for block in blocks(model)]
    inside = {id(module) for layer in layers for module in layer.modules()}
    for module in model.modules():
        if id(module) not in inside:
            _move_own(module, torch.device(device))
    store = LayerStore(layers, device, len(layers) if resident is None else resident)
    try:
        sweep = LayerSweep(model, store)
        with sweep.installed():
            yield sweep
    finally:
        store.close()


def _move_own(module: torch.nn.Module, device: torch.device) -> None:
    """Move the parameters and buffers of a module, without those of modules within it."""
    for tensor in [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
        tensor.data = tensor.data.to(device)
