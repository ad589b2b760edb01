"""Relevance of every MLP neuron for a model's own next-token predictions, one vector per sample."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

from crane.errors import CraneError
from crane.models.architectures import SITES, Site, blocks, width
from crane.models.experts import open_gates
from crane.models.families import UnsupportedModelError, check_gate, groups_of, positions
from crane.relevance.accumulators import Accumulators
from crane.relevance.aggregates import AGGREGATES, Aggregate
from crane.relevance.expert_hooks import expert_hooks
from crane.relevance.expert_rules import Router
from crane.relevance.histograms import BinEdges
from crane.relevance.lrp import Rules, lrp_rules
from crane.relevance.mlp_hooks import mlp_hooks, start_graph
from crane.relevance.objectives import OBJECTIVES, Head, Objective
from crane.relevance.passage import Batch, Passage, lengths_of
from crane.relevance.routing import Routed


class RelevanceError(CraneError, RuntimeError):
    """The relevance of a model is invalid: NaN, infinity, or a failed self-test."""


class Pass(Protocol):
    """A way of taking batches through the model: forward, and backward for the relevance."""

    def __call__(self, attribute: "Attribution", passages: Sequence[Passage]) -> None:
        """Fill the relevance of every passage, under `attribute.hooked(passage)`."""
        ...


def whole_model(attribute: "Attribution", passages: Sequence[Passage]) -> None:
    """Take one batch after the other through all layers, keeping what each layer needs for its backward pass."""
    for passage in passages:
        with attribute.hooked(passage), torch.enable_grad():
            hidden = attribute.hidden(passage.input_ids)
            attribute.explained(hidden, passage).sum().backward()


class Attribution:
    """Computes relevance while hooks are installed; created by `attribution`."""

    def __init__(
        self,
        model: Any,
        *,
        rules: Rules,
        objective: Objective,
        aggregate: Aggregate,
        site: Site,
        skip_first: bool,
        passing: Pass = whole_model,
        accumulators: Collection[str] = (),
        edges: BinEdges | None = None,
    ) -> None:
        self.model = model
        self.site = site
        self._objective = OBJECTIVES[objective]
        self.aggregate = aggregate
        self._skip_first = skip_first
        self._passing = passing
        self.blocks = blocks(model)
        self._head = Head(model, rules)
        self.passage: Passage | None = None
        """The batch that is passing through the model, if relevance is computed."""
        self.active = torch.zeros(
            len(self.blocks), width(model, "intermediate"), dtype=torch.int64, device=model.device
        )
        """int64 `[K, I]`: tokens seen so far whose activation was > 0 (LAPE's counter)."""
        self.tokens = 0
        """Tokens seen so far, padding excluded."""
        self.value_sum = torch.zeros(
            len(self.blocks), width(model, site), dtype=torch.float64, device=model.device
        )
        """float64 `[K, I]`: sum of the site's values over the counted tokens so far."""
        self.counted = 0
        """Tokens counted so far: without padding, and without the first positions under `skip_first`."""
        groups = groups_of(model.config)
        self.routed = Routed.none(groups, len(self.blocks), model.device) if groups else None
        """With experts: how often each of them was used so far."""
        self.seen: list[Tensor] = []
        """With experts: int64 `[B, K, G]` of each batch of the last call, the counted tokens that each has seen."""
        if groups and accumulators:
            raise UnsupportedModelError(
                f"a model with experts has no accumulators ({', '.join(sorted(accumulators))}); remove the mask sets "
                "whose method needs them"
            )
        check_gate(model.config, accumulators)
        mlps = [block.mlp for block in self.blocks if block.mlp is not None]
        self.further = (
            Accumulators(accumulators, mlps, width(model, site), model.device, edges)
            if accumulators
            else None
        )
        """What is accumulated besides, if anything is."""

    def __call__(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return float32 `[B, K, I]`: the relevance of each neuron for each sample.

        Args:
            input_ids: int64 `[B, T]`, padded on the right.
            attention_mask: `[B, T]`, 1 for real tokens; every row has at least two. On the host it costs a GPU no
                synchronisation.

        Raises:
            RelevanceError: a value is NaN or infinite.
            ValueError: a sample has fewer than two tokens, or padding is not on the right; or T exceeds the positions
                of the model.
        """
        return self.relevances([Batch(input_ids, attention_mask)])[0]

    def relevances(self, batches: Sequence[Batch], limits: Sequence[Tensor] | None = None) -> list[Tensor]:
        """Return the relevance of several batches, which a layer sweep takes through each layer together.

        Arguments, results and errors of each as of a call. After an error the counters are as before.

        Args:
            batches: the batches.
            limits: of each batch int64 `[B]`: how many first tokens of its samples histograms of tokens count; None:
                all.
        """
        layers = len(self.blocks)
        # With experts, a layer's relevance arrives in parts.
        width = self.value_sum.shape[1] if self.routed is not None else None
        counts: Sequence[Tensor | None] = [None] * len(batches) if limits is None else limits
        passages = [
            Passage(batch.input_ids, self._lengths(*batch), layers, self._skip_first, width, count)
            for batch, count in zip(batches, counts, strict=True)
        ]
        with self.all_or_nothing():
            self._passing(self, passages)
            found = [self._found(passage) for passage in passages]
            self.tokens += sum(passage.tokens for passage in passages)
            self.counted += sum(passage.counted_tokens for passage in passages)
            if self.routed is not None:
                self.seen = [passage.seen() for passage in passages]
                self.routed = self.routed.with_samples(self.seen)
        return found

    def _found(self, passage: Passage) -> Tensor:
        layers = [layer for layer in passage.relevance if layer is not None]
        passage.relevance.clear()
        if len(layers) != len(self.blocks):
            raise RelevanceError("the backward pass did not reach every layer")
        relevance = torch.stack(layers, 1)
        if not torch.isfinite(relevance).all():
            where = (~torch.isfinite(relevance)).any(2).any(0).nonzero().flatten().tolist()
            raise RelevanceError(
                f"relevance is NaN or infinite in layers {where}; use bfloat16 or float32 (float16 underflows)"
            )
        return relevance

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Undo what the counters have counted within the context if it ends in an error."""
        routed = self.routed.clone() if self.routed is not None else None
        before = self.active.clone(), self.value_sum.clone(), self.tokens, self.counted, routed
        further = self.further.snapshot() if self.further else None
        try:
            yield
        except BaseException:
            self.active, self.value_sum, self.tokens, self.counted, self.routed = before
            if self.further and further:
                self.further.restore(further)
            raise

    def objective(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the objective f(x) of each sample, float32 `[B]`; arguments and `ValueError` as of a call."""
        lengths = self._lengths(input_ids, attention_mask)
        return self._objective(self.hidden(input_ids), input_ids, lengths, self._head)

    def hidden(self, input_ids: Tensor) -> Tensor:
        """Return the last hidden states `[B, T, H]` of samples padded on the right."""
        # Attention is causal and padding on the right, so no real token sees it. With a mask, attention would leave its
        # fast causal path, and rows without a visible token would be NaN under sliding windows.
        return self.model.base_model(input_ids=input_ids, use_cache=False).last_hidden_state

    def explained(self, hidden: Tensor, passage: Passage) -> Tensor:
        """Return the objective of each sample of a passage, float32 `[B]`, from its last hidden states."""
        return self._objective(hidden, passage.input_ids, passage.lengths, self._head)

    def _lengths(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return lengths_of(Batch(input_ids, attention_mask), positions(self.model.config))

    # Hooks ------------------------------------------------------------------------------------------------

    @contextmanager
    def hooked(self, passage: Passage) -> Iterator[None]:
        """Let the hooks count and reduce for a passage; they are idle otherwise."""
        self.passage = passage
        try:
            yield
        finally:
            self.passage = None

    def install(self, handles: list[Any]) -> None:
        """Install the hooks and append their handles."""
        if self.blocks[0].experts is not None:
            handles.append(self.blocks[0].module.register_forward_pre_hook(start_graph))
        for layer, block in enumerate(self.blocks):
            if block.mlp is not None:
                handles += mlp_hooks(self, layer, block.mlp, block.mlp_neurons)
            if block.experts is not None:
                handles += expert_hooks(self, layer, block.experts)


@contextmanager
def attribution(
    model: Any,
    *,
    rules: Rules = "attnlrp",
    objective: Objective = "next_token_logit",
    aggregate: Aggregate = "sum",
    site: Site = "intermediate",
    skip_first: bool = False,
    router: Router = "constant",
    passing: Pass = whole_model,
    accumulators: Collection[str] = (),
    edges: BinEdges | None = None,
) -> Iterator[Attribution]:
    """Make relevance available: `with attribution(model) as attribute: attribute(input_ids, attention_mask)`.

    One forward and one backward pass per batch; relevance = activation x modified gradient at the site, summed over the
    tokens in float32 (method, section 2). Parameters are frozen within the context; hooks and patches are removed on
    exit.

    Args:
        model: a Hugging Face causal language model.
        rules: "attnlrp", "cp_lrp" or "input_x_gradient".
        objective: a key of `OBJECTIVES`.
        aggregate: a key of `AGGREGATES`.
        site: where neurons are: "intermediate" (input of the down projection) or "residual_write".
        skip_first: leave the first position (BOS) out of the aggregation.
        router: with experts: the rule for their weights, "constant" or "uniform" (`crane.relevance.lrp.lrp_rules`).
        passing: how batches pass through the model: `whole_model`, or a `crane.relevance.sweep.LayerSweep` of it, which
            changes memory and speed only.
        accumulators: keys of `crane.relevance.accumulated_columns.COLUMNS` to fill besides, into `further`.
        edges: of the histograms among them.

    Raises:
        ValueError: an unknown option, accumulators of neurons' values at site "residual_write", or histograms without
            edges.
        UnsupportedModelError: an unknown model family, a site that its experts do not have, or experts with
            accumulators.
    """
    options: tuple[tuple[str, Collection[str], str], ...] = (
        (objective, OBJECTIVES, "objective"),
        (aggregate, AGGREGATES, "aggregate"),
        (site, SITES, "site"),
    )
    for value, known, name in options:
        if value not in known:
            raise ValueError(f"unknown {name} {value!r}; known: {', '.join(known)}")
    if site != "intermediate" and set(accumulators) - {"gradients"}:
        raise ValueError(f"accumulators of the MLP's inner layer, at site {site!r}: {sorted(accumulators)}")
    attribute = Attribution(
        model,
        rules=rules,
        objective=objective,
        aggregate=aggregate,
        site=site,
        skip_first=skip_first,
        passing=passing,
        accumulators=accumulators,
        edges=edges,
    )
    training = model.training
    trainable = [p for p in model.parameters() if p.requires_grad]
    handles: list[Any] = []
    with open_gates(model), lrp_rules(model, rules, router):
        try:
            attribute.install(handles)
            model.eval()
            for parameter in trainable:
                parameter.requires_grad_(False)
            yield attribute
        finally:
            for handle in handles:
                handle.remove()
            for parameter in trainable:
                parameter.requires_grad_(True)
            model.train(training)
