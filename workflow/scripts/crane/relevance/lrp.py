"""LRP rule sets (AttnLRP, Achtibat et al. 2024; CP-LRP, Ali et al. 2022) on the modules of one model.

The rules are installed on module instances, so other models of the family are unaffected and may run meanwhile.

| module | AttnLRP | CP-LRP |
|---|---|---|
| norm | scale constant | scale constant |
| activation of an MLP without gate | identity rule | identity rule |
| gated MLP | identity rule and uniform rule | activated gate constant |
| outputs of the query, key and value projections | gradient / 4, / 4, / 2 | query and key constant |
| soft-cap of attention scores | identity rule | |
| router of experts, gate of a shared expert | constant, or uniform rule (`router`) | constant |

Both products of the attention follow the uniform rule: each factor receives half, and what reaches the softmax is
halved between query and key again. From there to the projections everything is linear (rotary embedding, norms of
query and key with constant scale), so dividing at the projections equals dividing at the attention's inputs.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from functools import partial
from typing import Any, Literal
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_utils import AttentionInterface

from crane.models.architectures import MLP, attentions, blocks, decoder, norms, query_key_value_columns
from crane.models.experts import open_gates
from crane.models.families import attention_cap
from crane.relevance.expert_rules import Router, install_in_experts
from crane.relevance.installation import change_output, replace
from crane.relevance.rules import frozen_scale, gated_product, identity, stop, uniform

Rules = Literal["attnlrp", "cp_lrp", "input_x_gradient"]
RULES: tuple[Rules, ...] = ("attnlrp", "cp_lrp", "input_x_gradient")
PARTS = (4, 4, 2)
"""AttnLRP: divisors of the gradients of query, key and value."""

_active: WeakSet[nn.Module] = WeakSet()


@contextmanager
def lrp_rules(model: Any, rules: Rules, router: Router = "constant") -> Iterator[None]:
    """Make gradient x activation of `model` follow a rule set within the context.

    The model's outputs do not change by a bit. Only its module instances are changed, until the context exits.

    Args:
        model: a Hugging Face causal language model.
        rules: the rule set.
        router: AttnLRP: how relevance passes the product of an expert's output and its weight. `constant`: the expert
            gets all of it; `uniform`: expert and router get half each (LXT since August 2026), and the router's softmax
            loses most of its half.

    Raises:
        UnsupportedModelError: an unknown model family.
        ValueError: unknown rule set.
        RuntimeError: the model is under rules already.
    """
    if rules not in RULES:
        raise ValueError(f"unknown LRP rules {rules!r}; known: {', '.join(RULES)}")
    if rules == "input_x_gradient":
        yield
        return
    root = decoder(model)
    if root in _active:
        raise RuntimeError("this model is under LRP rules already; leave that context first")
    with ExitStack() as undo:
        _active.add(root)
        undo.callback(_active.discard, root)
        for norm in norms(model):
            rule = partial(frozen_scale, original=norm.module.forward, norm=norm)
            replace(undo, norm.module, "forward", rule)
        undo.enter_context(open_gates(model))
        for block in blocks(model):
            if block.mlp is not None:
                _install_in_mlp(undo, block.mlp, rules)
            if block.experts is not None:
                install_in_experts(
                    undo, block, "constant" if rules == "cp_lrp" else router, rules == "cp_lrp"
                )
        _install_in_attentions(undo, model, rules)
        yield


# MLP --------------------------------------------------------------------------------------------------


def _install_in_mlp(undo: ExitStack, mlp: MLP, rules: Rules) -> None:
    if not mlp.gated:
        replace(undo, mlp.activation, "forward", partial(identity, mlp.activation.forward))
    elif rules == "attnlrp":
        replace(undo, mlp.module, "forward", partial(_gated_mlp, mlp))
    elif mlp.gate is not None:
        change_output(undo, mlp.gate, stop)
    else:
        change_output(undo, mlp.up, _constant_gate)


def _gated_mlp(mlp: MLP, x: Tensor) -> Tensor:
    """Return the output of a gated MLP; neurons are read behind the uniform rule, with all of their relevance."""
    gate, up = mlp.up(x).chunk(2, -1) if mlp.gate is None else (mlp.gate(x), mlp.up(x))
    return mlp.down(gated_product(gate, up, mlp.activation))


def _constant_gate(gate_and_up: Tensor) -> Tensor:
    gate, up = gate_and_up.chunk(2, -1)
    return torch.cat([stop(gate), up], -1)


# Attention --------------------------------------------------------------------------------------------


def _install_in_attentions(undo: ExitStack, model: Any, rules: Rules) -> None:
    columns = query_key_value_columns(model)
    capped = attention_cap(model.config) is not None
    for attention in attentions(model):
        if len(attention.projections) == 1:
            change_output(undo, attention.projections[0], _joint_rule(columns.to(model.device), rules))
        elif rules == "attnlrp":
            for projection, parts in zip(attention.projections, PARTS, strict=True):
                change_output(undo, projection, partial(uniform, parts=parts))
        else:
            for projection in attention.projections[:2]:
                change_output(undo, projection, stop)
        if capped and rules == "attnlrp":
            # The module alone gets another configuration: the model's also decides how masks are made.
            config: Any = copy(attention.module.config)
            config._attn_implementation = _SOFT_CAPPED
            replace(undo, attention.module, "config", config)


def _joint_rule(columns: Tensor, rules: Rules) -> Callable[[Tensor], Tensor]:
    """Return the rule for a projection of query, key and value together; `columns` as of `query_key_value_columns`."""
    if rules == "attnlrp":
        parts = torch.tensor(PARTS, device=columns.device)[columns]
        return lambda output: uniform(output, parts)
    return lambda output: torch.where(columns == 2, output, stop(output))


def soft_cap(values: Tensor, cap: float, rules: Rules) -> Tensor:
    """Return c tanh(values / c), element by element, for a cap c; dtype and shape as `values`.

    Under LRP rules relevance passes it unchanged, as it passes every element-wise non-linearity (identity rule, eq. 9
    of Achtibat et al. 2024). Plain gradient x input would lose the share 1 - u tanh'(u) / tanh(u), u = value / c:
    almost everything near the cap, so that the most confident predictions would count least.
    """

    def capped(x: Tensor) -> Tensor:
        return torch.tanh(x / cap) * cap

    return capped(values) if rules == "input_x_gradient" else identity(capped, values)


def _soft_capped_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    softcap: float,
    **_: Any,
) -> tuple[Tensor, None]:
    """Eager attention with soft-capped scores under the identity rule, which LXT does not have.

    Arguments and first result as in transformers. The scores are recomputed in the backward pass: storing them would
    take 3 T^2 numbers per head and layer.
    """

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        key, value = (x.repeat_interleave(module.num_key_value_groups, 1) for x in (key, value))
        scores = soft_cap(torch.matmul(query, key.transpose(2, 3)) * scaling, softcap, "attnlrp")
        if attention_mask is not None:
            scores = scores + attention_mask
        weights = scores.softmax(-1, dtype=torch.float32).to(query.dtype)
        return (weights @ value).transpose(1, 2).contiguous()

    return checkpoint(attend, query, key, value, use_reentrant=False), None


_SOFT_CAPPED = "crane_soft_capped"
AttentionInterface.register(_SOFT_CAPPED, _soft_capped_attention)
