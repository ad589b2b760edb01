"""Load a model so that its relevance fits into the memory of the device."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from crane.models.architectures import blocks, shape
from crane.models.families import groups_of
from crane.models.loading import load_model, preferred_device
from crane.relevance.attribution import Pass, whole_model
from crane.relevance.memory import Fit, Shape, fit
from crane.relevance.sweep import layer_sweep


class Placed(NamedTuple):
    """A model that is ready for relevance."""

    model: Any
    fit: Fit
    passing: Pass
    """The option `passing` of `crane.relevance.attribution.attribution`."""


def shape_of(model: Any) -> Shape:
    """Return the shape of a loaded model; raises as `crane.models.architectures.blocks`."""
    layers, intermediate = shape(model)
    inside = sum(p.nbytes for block in blocks(model) for p in block.layer.parameters())
    text, groups = model.config.get_text_config(), groups_of(model.config)
    passed = intermediate if groups is None else text.num_experts_per_tok * groups.width + groups.shared
    return Shape(
        layers,
        text.hidden_size,
        passed,
        inside / layers,
        sum(p.nbytes for p in model.parameters()) - inside,
        model.dtype.itemsize,
        intermediate,
    )


@contextmanager
def placed(
    folder: str | Path,
    dtype: str,
    *,
    longest: int,
    batch_tokens: int,
    sweep_tokens: int,
    rows: int | None = None,
    memory: float | None,
    accumulated: int = 0,
) -> Iterator[Placed]:
    """Load a model and place its weights; the context ends the layer sweep, if there is one.

    Args:
        folder, dtype: as of `load_model`.
        longest: tokens of the longest sample.
        batch_tokens: tokens of a batch at most.
        sweep_tokens: tokens of a layer sweep at most.
        rows: samples of a batch at most, if given.
        memory: bytes of the device that relevance may take, weights included; by default what is free of a GPU, and
            without limit on a CPU.
        accumulated: bytes per neuron of what is accumulated besides.

    Raises:
        ModelError, UnsupportedModelError: as of `load_model`.
        TooSmallError: a single sample does not fit.
    """
    device = preferred_device()
    model = load_model(folder, dtype, device, weights="cpu")
    size = shape_of(model)._replace(accumulated=accumulated)
    free = torch.cuda.mem_get_info()[0] if device == "cuda" else math.inf
    found = fit(
        size,
        min(free, memory or math.inf),
        longest=longest,
        batch_tokens=batch_tokens,
        sweep_tokens=sweep_tokens,
        rows=rows,
        streams=device == "cuda",
    )
    print(f"relevance: {found}", flush=True)
    if found.sweep_tokens is None:
        yield Placed(model.to(device), found, whole_model)
        return
    with layer_sweep(model, device=device, resident=found.resident) as sweep:
        print(f"weights: {sweep.store}", flush=True)
        yield Placed(model, found, sweep)
