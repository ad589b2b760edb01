"""Relevance token by token: where in a sample a neuron's relevance lies."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from crane.models.families import UnsupportedModelError
from crane.relevance.attribution import Attribution
from crane.relevance.collect import batches, padded
from crane.relevance.memory import Fit
from crane.relevance.passage import Batch


class TokenRelevance(NamedTuple):
    """Some neurons of a layer on one sample."""

    relevance: Tensor
    """float32 `[T, n]`"""
    values: Tensor
    """float32 `[T, n]`, of the neurons themselves (their activation at the site)."""


class _Tap:
    """Keeps relevance and values of some neurons before they are summed over the tokens."""

    def __init__(self, attribute: Attribution, neurons: Mapping[int, Tensor]) -> None:
        self._attribute = attribute
        self._neurons = neurons
        self._found: dict[int, TokenRelevance] = {}
        self._shape: tuple[int, ...] = ()

    def __call__(self, batch: Batch) -> dict[int, TokenRelevance]:
        """Return layer -> `[B, T, n]` of a batch."""
        self._found, self._shape = {}, tuple(batch.input_ids.shape)
        self._attribute.relevances([batch])
        return self._found

    def install(self, handles: list[Any]) -> None:
        for layer, index in self._neurons.items():
            mlp = self._attribute.blocks[layer].mlp
            if mlp is None or self._attribute.routed is not None:
                raise UnsupportedModelError("the explorer does not show tokens of models with experts")
            handles.append(mlp.at_site(self._attribute.site, partial(self._watch, layer, index)))

    def _watch(self, layer: int, index: Tensor, values: Tensor) -> None:
        if not values.requires_grad:
            return
        # OPT's layers flatten samples and tokens.
        index = index.to(values.device)
        kept = values.detach()[..., index].float().reshape(*self._shape, -1)

        def keep(gradient: Tensor) -> None:
            found = kept * gradient[..., index].float().reshape(kept.shape)
            self._found[layer] = TokenRelevance(found, kept)

        values.register_hook(keep)


@contextmanager
def _tapped(attribute: Attribution, neurons: Mapping[int, Tensor]) -> Iterator[_Tap]:
    tap, handles = _Tap(attribute, neurons), list[Any]()
    try:
        tap.install(handles)
        yield tap
    finally:
        for handle in handles:
            handle.remove()


def token_relevance(
    attribute: Attribution, samples: Mapping[int, Tensor], neurons: Mapping[int, Tensor], fit: Fit
) -> Iterator[tuple[int, dict[int, TokenRelevance]]]:
    """Yield each sample's number and, by layer, the relevance of some neurons at each of its tokens.

    The sum over the tokens is the relevance of the sample under the aggregate `sum`. All positions are there, also the
    first under `skip_first`.

    Args:
        attribute: from `crane.relevance.attribution.attribution`.
        samples: number -> int64 `[T]`, at least two tokens.
        neurons: layer -> int64 `[n]`, numbers of neurons.
        fit: tokens of a batch.

    Raises:
        RelevanceError: a value is NaN or infinite.
    """
    numbers = sorted(samples, key=lambda number: len(samples[number]), reverse=True)
    tokens = sum(map(len, samples.values()))
    with (
        _tapped(attribute, neurons) as tap,
        tqdm(total=tokens, unit="token", unit_scale=True, mininterval=2) as bar,
    ):
        for batch in batches([samples[number] for number in numbers], fit.batch_tokens, fit.rows):
            taken, numbers = numbers[: len(batch)], numbers[len(batch) :]
            found = {
                layer: TokenRelevance(*(tensor.cpu() for tensor in both))
                for layer, both in tap(padded(batch, attribute.model.device)).items()
            }
            bar.update(sum(map(len, batch)))
            for row, number in enumerate(taken):
                length = len(samples[number])
                yield (
                    number,
                    {
                        layer: TokenRelevance(both.relevance[row, :length], both.values[row, :length])
                        for layer, both in found.items()
                    },
                )


def by_layer(pairs: list[tuple[int, int]]) -> dict[int, Tensor]:
    """Return layer -> int64 `[n]`, ascending, from pairs of layer and neuron."""
    layers: dict[int, set[int]] = {}
    for layer, neuron in pairs:
        layers.setdefault(layer, set()).add(neuron)
    return {layer: torch.tensor(sorted(neurons)) for layer, neurons in sorted(layers.items())}


def example_rows(
    top: pd.DataFrame, neurons: Mapping[int, Tensor], found: Mapping[int, TokenRelevance]
) -> Iterator[dict[str, Any]]:
    """Yield a row per neuron for which a sample is among the top ones, with its tokens.

    Args:
        top: rows of `crane.relevance.top_samples.layer_table` of one sample.
        neurons: layer -> the neurons that were measured.
        found: layer -> their relevance on that sample.

    Yields:
        language, layer, neuron, place, sample_id, relevance (of the whole sample), token_relevance and token_values
        (float32 arrays `[T]`).
    """
    for row in top.to_dict("records"):
        column = int(torch.searchsorted(neurons[row["layer"]], row["neuron"]))
        both = found[row["layer"]]
        yield {
            **row,
            # Copies: a view would keep the values of all neurons in memory.
            "token_relevance": both.relevance[:, column].numpy().copy(),
            "token_values": both.values[:, column].numpy().copy(),
        }
