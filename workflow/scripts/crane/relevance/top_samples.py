"""The samples on which each neuron's relevance is largest: found in one pass, merged exactly, kept in files.

Relevance of either sign counts, by its absolute value; of equal ones the sample of lower number comes first. So the
result depends neither on batches nor on shards, and merging is a monoid, as with `crane.relevance.moments`.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from crane.relevance.layer_files import LayerFiles

NO_SAMPLE = -1
"""Number in the places that are left where there are fewer samples than places; the relevance there is 0."""
_LAST = 2**31 - 1
_FILES = LayerFiles("file of top samples")


class TopSamples(NamedTuple):
    """For each of `[...]` neurons up to k samples, the one of largest absolute relevance first."""

    numbers: Tensor
    """int32 `[k, ...]`, numbers of samples, or `NO_SAMPLE`."""
    relevance: Tensor
    """float32 `[k, ...]`"""

    @classmethod
    def from_batch(cls, relevance: Tensor, numbers: Sequence[int], k: int) -> Self:
        """Return the k samples of a batch.

        Args:
            relevance: float32 `[B, ...]`.
            numbers: of the B samples, all different, from 0.
            k: samples to keep.
        """
        shape = (len(numbers), *([1] * (relevance.ndim - 1)))
        column = torch.tensor(numbers, dtype=torch.int32, device=relevance.device).view(shape)
        return cls(column.expand(relevance.shape), relevance)._highest(k)

    def merge(self, other: Self) -> Self:
        """Return the samples of both, which have none in common (associative, commutative)."""
        numbers = torch.cat([self.numbers, other.numbers.to(self.numbers.device)])
        relevance = torch.cat([self.relevance, other.relevance.to(self.relevance.device)])
        return type(self)(numbers, relevance)._highest(len(self.numbers))

    def _highest(self, k: int) -> Self:
        """Return the first k in order of absolute relevance and number."""
        # Floats that are not negative are ordered as their bits are: one integer holds both, and no two are equal.
        bits = self.relevance.abs().contiguous().view(torch.int32).long()
        keys = torch.where(self.numbers == NO_SAMPLE, -1, (bits << 32) + (_LAST - self.numbers))
        kept = keys.topk(min(k, len(keys)), dim=0).indices
        numbers, relevance = self.numbers.gather(0, kept), self.relevance.gather(0, kept)
        missing = (k - len(kept), *numbers.shape[1:])
        return type(self)(
            torch.cat([numbers, numbers.new_full(missing, NO_SAMPLE)]),
            torch.cat([relevance, relevance.new_zeros(missing)]),
        )


def write_top_samples(top: TopSamples, path: str | Path, metadata: Mapping[str, Any]) -> None:
    """Write samples of `[K, I]` neurons atomically, with a checksum per layer: 8 k bytes per neuron."""
    _FILES.write({name: tensor.transpose(0, 1) for name, tensor in top._asdict().items()}, path, metadata)


def read_top_samples(path: str | Path, layer: int) -> TopSamples:
    """Read one layer (`[k, I]`) of a file of top samples without reading the others.

    Raises:
        ArtefactError: the file is truncated, altered, or has no such layer.
    """
    return TopSamples(**_FILES.read(path, layer)[0])


def merge_top_samples(paths: Sequence[str | Path], layer: int) -> TopSamples:
    """Merge one layer of the files of several shards."""
    return reduce(TopSamples.merge, (read_top_samples(path, layer) for path in paths))


def layer_table(top: Mapping[str, TopSamples], layer: int) -> pd.DataFrame:
    """Return one layer's tidy table: language, layer, neuron, place (from 1), sample_id, relevance.

    Args:
        top: language -> samples of the layer, `[k, I]`.
        layer: its number.
    """
    frames = []
    for language, found in top.items():
        places, neurons = found.numbers.shape
        frame = pd.DataFrame(
            {
                "language": language,
                "layer": layer,
                "neuron": np.repeat(np.arange(neurons), places),
                "place": np.tile(np.arange(1, places + 1), neurons),
                "sample_id": found.numbers.T.flatten().numpy(),
                "relevance": found.relevance.T.flatten().numpy(),
            }
        )
        frames.append(frame[frame["sample_id"] != NO_SAMPLE])
    return pd.concat(frames, ignore_index=True)
