"""Random neurons, and random groups of them, to be zeroed one after another: a sample for the calibration."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from crane.errors import CraneError
from crane.models.architectures import MLP, Site
from crane.models.copies import without

KINDS = ("neuron", "group")


class AblationError(CraneError, ValueError):
    """More neurons are asked for than a model has."""


class Ablation(NamedTuple):
    """Neurons of one layer that are zeroed together."""

    kind: str
    """One of `KINDS`."""
    layer: int
    neurons: tuple[int, ...]
    """Ascending; one for a `neuron`."""


def draw_ablations(
    layers: int, width: int, *, neurons: int, groups: int, group_size: int, seed: int
) -> list[Ablation]:
    """Draw single neurons without replacement and groups of them, spread evenly over the layers.

    The numbers of two layers differ by one at most. A group has neurons of one layer; groups may share neurons.

    Args:
        layers: of the model.
        width: neurons per layer.
        neurons: single neurons; at most all of the model.
        groups: number of groups.
        group_size: neurons of a group.
        seed: of the draw.

    Returns:
        First the neurons, then the groups, both by layer.

    Raises:
        AblationError: there are not so many neurons in the model or in a layer.
    """
    if neurons > layers * width:
        raise AblationError(f"calibration.neurons: {neurons}; the model has {layers} x {width}")
    if group_size > width:
        raise AblationError(f"calibration.group_size: {group_size}; a layer has {width} neurons")
    generator = np.random.default_rng([seed, layers, width])
    drawn = [
        Ablation("neuron", layer, (int(neuron),))
        for layer, count in enumerate(_spread(neurons, layers, generator))
        for neuron in np.sort(generator.choice(width, count, replace=False))
    ]
    for layer, count in enumerate(_spread(groups, layers, generator)):
        for _ in range(count):
            members = np.sort(generator.choice(width, group_size, replace=False))
            drawn.append(Ablation("group", layer, tuple(members.tolist())))
    return drawn


def _spread(count: int, layers: int, generator: np.random.Generator) -> np.ndarray:
    """Return how many of `count` each layer gets; what is left over goes to random layers."""
    each = np.full(layers, count // layers)
    each[generator.choice(layers, count % layers, replace=False)] += 1
    return each


@contextmanager
def side_by_side(mlps: Sequence[MLP], site: Site, ablations: Sequence[Ablation]) -> Iterator[None]:
    """Zero the neurons of ablation c in the c-th copy of a batch; copies stand one behind the other.

    Args:
        mlps: of the model, in layer order.
        site: where the neurons are.
        ablations: one per copy.
    """
    handles: list[Any] = []
    try:
        for layer in sorted({ablation.layer for ablation in ablations}):
            here = [(copy, one.neurons) for copy, one in enumerate(ablations) if one.layer == layer]
            handles.append(mlps[layer].at_site(site, partial(without, here, len(ablations))))
        yield
    finally:
        for handle in handles:
            handle.remove()
