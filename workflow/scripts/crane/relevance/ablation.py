"""What relevance predicts of masking single neurons, against what happens."""

from functools import partial
from typing import Any, NamedTuple

import torch
from scipy.stats import pearsonr, spearmanr
from torch import Tensor, nn

from crane.models.copies import without
from crane.models.experts import Gate, gate_of
from crane.relevance.attribution import Attribution

CHUNK_TOKENS = 2048
"""Tokens that pass through the model together: copies of the batch, in each of which another neuron is masked."""


class Agreement(NamedTuple):
    """Agreement of relevance with the drop of the objective over single masked neurons."""

    neurons: int
    pearson: float
    spearman: float
    same_sign: float
    """Share of the neurons."""


def random_neurons(relevance: Tensor, count: int, seed: int = 0) -> Tensor:
    """Return the numbers in `[K * I]` of random neurons, int64 `[N]`; all, if there are fewer.

    Args:
        relevance: `[B, K, I]`.
        count: how many.
        seed: of the choice.
    """
    order = torch.randperm(relevance[0].numel(), generator=torch.Generator().manual_seed(seed))
    return order[:count]


@torch.no_grad()
def agreement(
    attribute: Attribution, relevance: Tensor, input_ids: Tensor, attention_mask: Tensor, chosen: Tensor
) -> Agreement:
    """Mask neurons one at a time and compare.

    Args:
        attribute: an attribution of the model, which is not masked.
        relevance: `[B, K, I]` of the batch.
        input_ids, attention_mask: the batch, `[B, T]`.
        chosen: numbers of the neurons in `[K * I]`, int64 `[N]`.
    """
    mean = relevance.mean(0).flatten().cpu()
    whole = attribute.objective(input_ids, attention_mask)
    drops = []
    for part in chosen.split(max(1, CHUNK_TOKENS // input_ids.numel())):
        pairs = [divmod(flat, relevance.shape[2]) for flat in part.tolist()]
        drops.append((whole - _objective_without(attribute, pairs, input_ids, attention_mask)).mean(1).cpu())
    predicted, actual = mean[chosen].double().numpy(), torch.cat(drops).double().numpy()
    return Agreement(
        len(chosen),
        float(pearsonr(predicted, actual).statistic),
        float(spearmanr(predicted, actual).statistic),
        float(((predicted > 0) == (actual > 0)).mean()),
    )


def _objective_without(
    attribute: Attribution, pairs: list[tuple[int, int]], input_ids: Tensor, attention_mask: Tensor
) -> Tensor:
    """Return the objective `[C, B]` in C copies of a batch, each without one neuron (layer, number)."""
    copies, rows = len(pairs), len(input_ids)
    handles = []
    for layer, block in enumerate(attribute.blocks):
        own = [(copy, neuron) for copy, (k, neuron) in enumerate(pairs) if k == layer]
        first = block.mlp_neurons.start
        routed = [(copy, neuron) for copy, neuron in own if neuron < first]
        of_mlp = [(copy, [neuron - first]) for copy, neuron in own if neuron >= first]
        if routed and block.experts is not None:
            gate, width = gate_of(block.experts), block.experts.groups.width
            handles.append(
                gate.register_forward_hook(partial(_without_routed, routed, width, input_ids.numel()))
            )
        if of_mlp and block.mlp is not None:
            handles.append(block.mlp.at_site(attribute.site, partial(without, of_mlp, copies)))
    try:
        objective = attribute.objective(input_ids.repeat(copies, 1), attention_mask.repeat(copies, 1))
    finally:
        for handle in handles:
            handle.remove()
    return objective.view(copies, rows)


def _without_routed(
    own: list[tuple[int, int]], width: int, tokens: int, gate: nn.Module, inputs: Any, neurons: Tensor
) -> Tensor:
    """Return neurons of experts `[S, I]` with one of them zeroed in some copies of so many tokens."""
    assert isinstance(gate, Gate)
    neurons, (token, expert) = neurons.clone(), gate.routing
    for copy, neuron in own:
        rows = (token.div(tokens, rounding_mode="floor") == copy) & (expert == neuron // width)
        neurons[rows, neuron % width] = 0
    return neurons
