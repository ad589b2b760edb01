"""The edges between which every neuron's histograms have their bins, fixed by a pilot before anything is counted.

All shards of all languages need the same edges, or their histograms could be neither merged nor compared. So a pilot
passes some samples of every language through the model, forward only, and takes mean +- 4 standard deviations over all
of them together. Bins of equal width between such edges hold apart what a neuron does in different languages, also
where it varies little around a large mean, which logarithmic bins would put into one.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from crane.artefacts import ArtefactError
from crane.models.architectures import MLP, mlps
from crane.relevance.accumulated_columns import BINS, HISTOGRAMS
from crane.relevance.accumulators import chan
from crane.relevance.histograms import BinEdges, edges_grid
from crane.relevance.layer_files import LayerFiles

DEVIATIONS = 4
"""Standard deviations from the mean to each edge: at most a sixteenth of any distribution lies beyond (Chebyshev)."""
LEAST_RANGE = 1e-3
"""Smallest distance of a neuron's edges; they would coincide for one that is constant."""
_RELATIVE_RANGE = 2.0**-12
"""The same relative to the values, of which float32 has 2**5 in each of so narrow bins."""
_FILES = LayerFiles("file of bin edges")


def pilot_samples(corpora: Mapping[str, Sequence[Sequence[int]]], count: int, seed: int) -> list[list[int]]:
    """Return the token numbers of `count` random samples of every language (of all, if it has fewer)."""
    chosen = []
    for language, samples in corpora.items():
        generator = np.random.default_rng([seed, *language.encode()])
        numbers = np.sort(generator.choice(len(samples), min(count, len(samples)), replace=False))
        chosen += [list(map(int, samples[number])) for number in numbers]
    return chosen


class _Distribution:
    """Count, mean, sum of squared deviations and minimum of values per neuron, float64 `[I]` each."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.m2 = self.least = torch.zeros(())

    def add(self, values: Tensor) -> None:
        """Add values, float64 `[n, I]`."""
        mean, least = values.mean(0), values.amin(0)
        m2 = (values - mean).square_().sum(0)
        if not self.count:
            self.mean, self.m2, self.least = mean, m2, least
        else:
            self.mean, self.m2 = chan((self.mean, self.m2), self.count, (mean, m2), len(values))
            self.least = torch.minimum(self.least, least)
        self.count += len(values)

    def edges(self, *, from_least: bool) -> Tensor:
        """Return lower and upper edge, float32 `[2, I]`.

        Args:
            from_least: whether the lower edge is at most one bin below the least value: for a gate, which SiLU and its
                kin bound from below.
        """
        reach = DEVIATIONS * (self.m2 / self.count).sqrt()
        low, high = self.mean - reach, self.mean + reach
        if from_least:
            low = torch.maximum(low, self.least - (high - self.least) / BINS)
        middle = (low + high) / 2
        least = (middle.abs() * _RELATIVE_RANGE).clamp_(min=LEAST_RANGE) / 2
        return torch.stack([torch.minimum(low, middle - least), torch.maximum(high, middle + least)]).float()


@torch.no_grad()
def measure_edges(model: Any, samples: Sequence[Sequence[int]], *, skip_first: bool) -> BinEdges:
    """Pass samples through a model one by one, forward only, and return the edges by their values.

    Args:
        model: a causal language model of transformers, in evaluation mode.
        samples: token numbers of each, at least two.
        skip_first: leave the first position out of the neurons' means, as in the relevance run.
    """
    layers = mlps(model)
    found = {name: [_Distribution() for _ in layers] for name in HISTOGRAMS}
    handles: list[Any] = []
    for layer, mlp in enumerate(layers):
        handles += _hooks(
            mlp, found["sample_histogram"][layer], found["token_histogram"][layer], int(skip_first)
        )
    try:
        for sample in samples:
            model.base_model(input_ids=torch.tensor([list(sample)], device=model.device), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return BinEdges.of(
        {
            name: torch.stack([each.edges(from_least=name == "token_histogram") for each in of_layers]).cpu()
            for name, of_layers in found.items()
        }
    )


def _hooks(mlp: MLP, means: _Distribution, gates: _Distribution, first: int) -> Iterator[Any]:
    """Yield the handles of hooks that add each sample's mean values, and all its activated gates."""

    def on_values(values: Tensor) -> None:
        means.add(values.reshape(-1, values.shape[-1])[first:].double().mean(0, keepdim=True))

    def on_gate(module: nn.Module, inputs: Any, output: Tensor) -> None:
        gates.add(output.reshape(-1, output.shape[-1]).double())

    yield mlp.at_site("intermediate", on_values)
    yield mlp.activation.register_forward_hook(on_gate)


def write_edges(found: BinEdges, path: str | Path, metadata: Mapping[str, Any]) -> None:
    """Write edges atomically."""
    grids = {edges_grid(name): grid for name, grid in found.edges.items()}
    _FILES.write(grids, path, {**metadata, "edges": found.digest})


def read_edges(path: str | Path) -> BinEdges:
    """Read edges written by `write_edges`.

    Raises:
        ArtefactError: the file is truncated or altered.
    """
    header = _FILES.header(path)
    layers = [_FILES.read(path, layer)[0] for layer in range(len(header.get("sha256", ())))]
    found = BinEdges.of(
        {name: torch.stack([grids[edges_grid(name)] for grids in layers]) for name in HISTOGRAMS}
    )
    if found.digest != header["edges"]:
        raise ArtefactError(f"{path}: does not match its hash; delete it and run again")
    return found
