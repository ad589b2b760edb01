"""The memory that the relevance of a model takes, and how its passes fit into that of a GPU.

The terms count tensors. Per token and layer, the backward pass keeps two values per neuron of a gated MLP (gate, up)
and four per coordinate of the residual stream (norms, query, key, value with attention's output), and the hook keeps
the neuron's value; an MLP without a gate keeps less. docs/performance.md compares the sum with the peak of a GPU.
"""

from typing import NamedTuple

from crane.errors import CraneError

BATCH_TOKENS = 8192
SWEEP_TOKENS = 32768
"""Defaults of `relevance.batch_tokens` and `relevance.sweep_tokens`."""

_RESERVED = 1e9
"""Bytes that the terms do not count: workspaces of matrix products and of attention, small tensors."""
_USABLE = 0.95
"""Share of the memory that is planned with; the rest is lost between the allocator's blocks."""
_MOMENTS = 27 * 8
"""Bytes per neuron: seven moments of what came before, of a batch, and of both; counters and their copies."""
_COPIES = 3
"""Of accumulators: while a group of batches passes, what was accumulated before it is kept twice."""
_WORTHWHILE = 1024
"""Tokens of a batch below which passes through the whole model leave a GPU idle."""
_SAMPLE = 4 + 4 * 8
"""Bytes per neuron and sample of a batch: its relevance, and the float64 powers that the moments need."""


class TooSmallError(CraneError, RuntimeError):
    """A sample does not fit into the memory."""


class Shape(NamedTuple):
    """What of a model determines the memory of its relevance; of a loaded one: `crane.relevance.placement.shape_of`."""

    layers: int
    hidden: int
    intermediate: int
    layer_bytes: float
    """Weights of one layer."""
    other_bytes: float
    """Weights outside the layers: embedding, output layer."""
    value_bytes: int
    """2 in bfloat16, 4 in float32."""
    neurons: int = 0
    """Neurons per layer, if a token passes through `intermediate` of them only: of a few experts. 0: all."""
    accumulated: int = 0
    """Bytes per neuron of the accumulators."""

    def _kept(self, tokens: int) -> float:
        """Return the bytes that one layer keeps for the backward pass of a batch."""
        return tokens * (3 * self.intermediate + 4 * self.hidden) * self.value_bytes

    def _besides(self, tokens: int, samples: int) -> float:
        """Return the bytes that a batch takes besides: the layer being reduced, the objective, the moments."""
        reduced = tokens * (
            4 * (3 * self.intermediate + 3 * self.hidden) + 2 * self.intermediate * self.value_bytes
        )
        neurons = self.neurons or self.intermediate
        of_neuron = _MOMENTS + samples * _SAMPLE + _COPIES * self.accumulated
        return reduced + self.layers * neurons * of_neuron + _RESERVED

    def bytes_whole(self, tokens: int, samples: int) -> float:
        """Return the bytes of a pass through the whole model.

        Args:
            tokens: of a batch, padding included.
            samples: of a batch.
        """
        weights = self.layers * self.layer_bytes + self.other_bytes
        return weights + self.layers * self._kept(tokens) + self._besides(tokens, samples)

    def bytes_sweep(self, tokens: int, samples: int, together: int, resident: int) -> float:
        """Return the bytes of a layer sweep.

        Args:
            tokens: of a batch, padding included.
            samples: of a batch.
            together: tokens of all batches of a sweep.
            resident: layers whose weights stay; of the others three are there at the same time.
        """
        weights = (resident + min(3, self.layers - resident)) * self.layer_bytes + self.other_bytes
        inputs = together * self.hidden * self.value_bytes * (self.layers + 2)
        found = 4 * self.layers * (self.neurons or self.intermediate) * samples * -(-together // tokens)
        return weights + inputs + found + self._kept(tokens) + self._besides(tokens, samples)


class Fit(NamedTuple):
    """How relevance passes through a model."""

    batch_tokens: int
    """Tokens of a batch, padding included; at least one sample."""
    sweep_tokens: int | None = None
    """Tokens of a layer sweep; None: every batch passes through the whole model."""
    resident: int | None = None
    """Layers whose weights stay on the GPU; None: all."""
    rows: int | None = None
    """Samples of a batch at most; None: as many as its tokens hold."""

    def __str__(self) -> str:
        """Return it in words, for a log."""
        if self.sweep_tokens is None:
            return f"batches of {self.batch_tokens:,} tokens through the whole model"
        return f"layer sweeps of {self.sweep_tokens:,} tokens in batches of {self.batch_tokens:,}"

    def smaller(self, longest: int) -> "Fit | None":
        """Return a fit of half the tokens, or None if a single sample of the longest passes alone already."""
        if max(self.batch_tokens, self.sweep_tokens or 0) <= longest:
            return None
        half = max(longest, self.batch_tokens // 2)
        together = None if self.sweep_tokens is None else max(half, self.sweep_tokens // 2)
        return self._replace(batch_tokens=half, sweep_tokens=together)


def fit(
    model: Shape,
    memory: float,
    *,
    longest: int,
    batch_tokens: int,
    sweep_tokens: int,
    rows: int | None = None,
    streams: bool = True,
) -> Fit:
    """Return how to pass through a model within a memory.

    The whole model if a batch of at least `_WORTHWHILE` tokens fits, because a sweep computes the forward pass twice;
    else a layer sweep, with as many layers resident as fit beside it. Texts much shorter than the longest fill a batch
    with more samples than are counted here, and models with eager attention keep more: halving is left for those.

    Args:
        model: its shape.
        memory: bytes, weights included.
        longest: tokens of the longest sample.
        batch_tokens: tokens of a batch at most.
        sweep_tokens: tokens of a sweep at most.
        rows: samples of a batch at most, if given.
        streams: whether weights may wait elsewhere than in this memory.

    Raises:
        TooSmallError: a single sample does not fit.
    """
    usable, samples = memory * _USABLE, max(1, batch_tokens // longest)
    tokens = max(batch_tokens, longest)
    if rows is not None:
        samples = min(samples, rows)
        tokens = min(tokens, rows * longest)
    if model.bytes_whole(tokens, samples) <= usable:
        return Fit(tokens, rows=rows)
    least = min(samples, -(-_WORTHWHILE // longest))
    for count in range(samples, least - 1, -1):
        if model.bytes_whole(count * longest, count) <= usable:
            return Fit(count * longest, rows=rows)
    while True:
        batch, together = samples * longest, max(sweep_tokens, samples * longest)
        resident = model.layers
        while streams and resident and model.bytes_sweep(batch, samples, together, resident) > usable:
            resident -= 1
        needed = model.bytes_sweep(batch, samples, together, resident)
        if needed <= usable:
            return Fit(batch, together, resident, rows)
        if samples == 1 and sweep_tokens <= longest:
            raise TooSmallError(
                f"relevance of one sample of {longest:,} tokens takes {needed / _USABLE / 1e9:.1f} GB even layer by "
                f"layer, and it may take {memory / 1e9:.1f}; use a larger GPU, set relevance.memory_gb higher if it is "
                "set, or corpora.max_tokens lower"
            )
        samples, sweep_tokens = max(1, samples // 2), max(longest, sweep_tokens // 2)
