"""The values of the intervention `resample`: what neurons have at the same position of other documents.

Resample ablation (Chan et al. 2022, causal scrubbing) replaces a value by the one that the same neuron has on another
input: unlike zero or the mean, values that the neuron does take, and with their spread. Here the other inputs are
samples of the corpora on which relevance was measured (no text that is evaluated is among them), as many of every
language. For each position one of them is drawn, the donor of that position: at position t of whatever the model reads,
all neurons of a mask have the values that they have at position t of its donor. So values of one position belong
together, and the first position, where some neurons are larger than everywhere else, keeps the values of a first
position. Texts longer than the donors go round: behind their last position follows their second one.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from crane.artefacts import atomic_file
from crane.models.architectures import Site, mlps

DONORS = 8
"""Donors of each language."""
POSITIONS = 512
"""Positions of a donor at most: with all neurons of LLaMA-2-7B 360 MB in bfloat16."""


def draw_donors(corpora: Mapping[str, Sequence[Sequence[int]]], seed: int) -> list[list[int]]:
    """Return the token numbers of the donors, `DONORS` of every language (all, if it has fewer), cut to `POSITIONS`."""
    donors = []
    for language, samples in corpora.items():
        generator = np.random.default_rng([seed, *language.encode()])
        chosen = np.sort(generator.choice(len(samples), min(DONORS, len(samples)), replace=False))
        donors += [list(map(int, samples[number][:POSITIONS])) for number in chosen]
    return donors


def donors_of_positions(lengths: Sequence[int], seed: int) -> np.ndarray:
    """Draw the donor of every position among those that are long enough; int64 `[P]`, P is the longest length."""
    generator = np.random.default_rng(seed)
    tokens = np.array(lengths)
    return np.array([generator.choice(np.flatnonzero(tokens > t)) for t in range(tokens.max())])


@torch.inference_mode()
def record_values(model: Any, site: Site, donors: Sequence[Sequence[int]], seed: int) -> Tensor:
    """Return `[P, K, I]`, in the precision of the model: the values of all neurons at every position of its donor.

    Args:
        model: a causal language model of transformers.
        site: where the neurons are.
        donors: token numbers of each, at least two.
        seed: of the draw of the donors of the positions.
    """
    blocks = mlps(model)
    taken = donors_of_positions([len(ids) for ids in donors], seed)
    found: list[Tensor | None] = [None] * len(blocks)
    handles = [mlp.at_site(site, partial(_keep, found, layer)) for layer, mlp in enumerate(blocks)]
    values: Tensor | None = None
    try:
        for number, ids in enumerate(donors):
            places = torch.from_numpy(np.flatnonzero(taken == number))
            model.base_model(input_ids=torch.tensor([list(ids)], device=model.device), use_cache=False)
            here = torch.stack([one for one in found if one is not None], 1).cpu()
            if values is None:
                values = here.new_empty(len(taken), *here.shape[1:])
            values[places] = here[places]
    finally:
        for handle in handles:
            handle.remove()
    assert values is not None
    return values


def _keep(found: list[Tensor | None], layer: int, values: Tensor) -> None:
    found[layer] = values.detach().reshape(-1, values.shape[-1])


def write_values(values: Tensor, path: str | Path, metadata: Mapping[str, Any]) -> None:
    """Write `[P, K, I]` atomically, for `crane.neurons.mean_values.read_values`."""
    with atomic_file(path) as partial_file:
        header = {"crane": json.dumps(metadata, sort_keys=True)}
        save_file({"values": values.contiguous()}, partial_file, metadata=header)
