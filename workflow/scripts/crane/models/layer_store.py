"""Where the weights of a model's decoder layers are: on their device, or in host memory until they are needed."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

_ALIGNMENT = 256
"""Bytes to whose multiples tensors begin, as in the GPU's own allocator."""


class _Slot(NamedTuple):
    """The place of a tensor in the block of its layer."""

    start: int
    shape: torch.Size
    dtype: torch.dtype

    def within(self, block: Tensor) -> Tensor:
        """Return the tensor in a block, uint8 `[bytes]`."""
        size = math.prod(self.shape) * self.dtype.itemsize
        return block[self.start : self.start + size].view(self.dtype).view(self.shape)


class _Streamed:
    """A layer whose weights lie in one block of host memory, pinned if a GPU reads it."""

    def __init__(self, layer: nn.Module, pin: bool) -> None:
        self.tensors = [*layer.parameters(), *layer.buffers()]
        self._slots, end = [], 0
        for tensor in self.tensors:
            self._slots.append(_Slot(end, tensor.shape, tensor.dtype))
            end += math.ceil(tensor.nbytes / _ALIGNMENT) * _ALIGNMENT
        self.block = torch.empty(end, dtype=torch.uint8)
        # Pinned where it is: `Tensor.pin_memory` takes up to twice the memory.
        self.pinned = pin and _pinned(self.block)
        for tensor, own in zip(self.tensors, self.within(self.block), strict=True):
            own.copy_(tensor.data)
            tensor.data = own

    def within(self, block: Tensor) -> list[Tensor]:
        return [slot.within(block) for slot in self._slots]

    def close(self) -> None:
        if self.pinned:
            torch.cuda.cudart().cudaHostUnregister(self.block.data_ptr())
        self.pinned = False


def _pinned(block: Tensor) -> bool:
    """Pin a block; return whether the system allows it (a cluster may limit locked memory)."""
    done = int(torch.cuda.cudart().cudaHostRegister(block.data_ptr(), block.nbytes, 0)) == 0
    if not done:
        with suppress(RuntimeError):  # otherwise the next kernel would raise the error
            torch.zeros(1, device="cuda")
    return done


class LayerStore:
    """The layers of a model, of which some are resident on a device and the others are copied there when they run.

    At rest, a parameter of a streamed layer is its tensor in host memory, so masks and checksums work on it as on any
    other, once the results of the last pass are there. On a GPU the copy of the following layer goes on beside the
    computation.

    Args:
        layers: the decoder layers, in host memory or on the device.
        device: where they run.
        resident: how many stay on the device; the streamed ones are spread evenly among them.
    """

    def __init__(self, layers: Sequence[nn.Module], device: str | torch.device, resident: int) -> None:
        self._device = torch.device(device)
        self._on_gpu = self._device.type == "cuda"
        waiting = max(0, len(layers) - resident)
        self._streamed: dict[int, _Streamed] = {}
        for number, layer in enumerate(layers):
            if (number + 1) * waiting // len(layers) > number * waiting // len(layers):
                self._streamed[number] = _Streamed(layer, pin=self._on_gpu)
            else:
                layer.to(self._device)
        self._stream = torch.cuda.Stream(self._device) if self._on_gpu else None
        self._fetched: dict[int, tuple[Tensor, Any]] = {}
        self._passed: deque[Any] = deque(maxlen=2)  # events behind the last layers that ran
        self.loads = 0
        """Number of layers copied to the device so far."""

    @property
    def streamed(self) -> list[int]:
        """The numbers of the streamed layers."""
        return list(self._streamed)

    def __str__(self) -> str:
        """Return in words where the layers are, for a log."""
        if not self._streamed:
            return "all layers on the device"
        sizes = [layer.block.nbytes for layer in self._streamed.values()]
        pinned = sum(layer.block.nbytes for layer in self._streamed.values() if layer.pinned)
        waiting = f"{len(sizes)} layers of {sum(sizes) / 1e9:.1f} GB wait in host memory"
        return f"{waiting}, {pinned / 1e9:.1f} GB of it pinned"

    def close(self) -> None:
        """Unpin the host's memory."""
        if self._stream is not None:
            self._stream.synchronize()
        for layer in self._streamed.values():
            layer.close()

    @contextmanager
    def on(self, layer: int, following: Sequence[int] = ()) -> Iterator[None]:
        """Hold a layer's weights on the device within the context.

        Args:
            layer: its number.
            following: the layers that will run next, in their order; the first streamed one is fetched meanwhile.
        """
        tensors = self._streamed[layer].tensors if layer in self._streamed else []
        at_rest = [tensor.data for tensor in tensors]
        try:
            if tensors:
                for tensor, copy in zip(tensors, self._arrived(layer), strict=True):
                    tensor.data = copy
            if self._on_gpu:
                for number in [number for number in following if number in self._streamed][:1]:
                    self._fetch(number)
            yield
        except BaseException:
            self._fetched.clear()  # by the next pass a mask may have changed the weights
            raise
        finally:
            for tensor, data in zip(tensors, at_rest, strict=True):
                tensor.data = data
            if self._on_gpu:
                self._passed.append(torch.cuda.current_stream(self._device).record_event())

    def _fetch(self, layer: int) -> None:
        """Begin to copy a layer's weights, unless that has begun."""
        if layer in self._fetched:
            return
        host = self._streamed[layer].block
        if self._stream is None:
            self._fetched[layer] = host.clone(), None
        else:
            # The host runs ahead of the GPU: without waiting, it would ask for the memory of layers far ahead.
            if len(self._passed) == 2:
                self._passed[0].synchronize()
            with torch.cuda.stream(self._stream):
                self._fetched[layer] = host.to(self._device, non_blocking=True), self._stream.record_event()
        self.loads += 1

    def _arrived(self, layer: int) -> list[Tensor]:
        """Return a layer's weights on the device; the current stream waits for them."""
        self._fetch(layer)
        block, arrived = self._fetched.pop(layer)
        if self._on_gpu:
            current = torch.cuda.current_stream(self._device)
            current.wait_event(arrived)
            block.record_stream(current)
        return self._streamed[layer].within(block)
