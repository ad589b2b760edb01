"""Self-tests of the relevance on a probe batch: a run whose relevance violates a known identity stops."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from crane.models.architectures import mlps
from crane.neurons.interventions import masked
from crane.neurons.neuron_set import NeuronSet
from crane.relevance.attribution import Attribution, RelevanceError, attribution
from crane.relevance.lrp import lrp_rules

# Relative errors that the arithmetic allows: float32 as the method requires; bfloat16 has 8 significant bits.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10, torch.bfloat16: 5e-2}
BATCHED = "batched relevance differs from one by one"
# In an MLP without a gate, LXT's identity rule divides by the activation's input: near 0 it amplifies the last bits,
# which depend on the shape of the batch. The largest error in about 700 batches of float32 was 2.7e-5.
BATCHED_TOLERANCE = TOLERANCE | {torch.float32: 1e-4}


class _Recorder:
    """Relevance (value x gradient) at named places of every layer, reduced as soon as a gradient exists.

    Only one full tensor is kept: half of the intermediate's relevance in the layer that the backward pass has reached,
    which gate and up need next. Those of all layers would not fit next to a model with billions of parameters.
    """

    def __init__(self) -> None:
        self._totals: dict[tuple[str, int], Tensor] = {}
        self._biases: dict[tuple[str, int], Tensor] = {}
        self._from_half: dict[tuple[str, int], Tensor] = {}
        self._half: dict[int, Tensor] = {}

    def watch(self, name: str, layer: int, values: Tensor, bias: Tensor | None = None) -> None:
        """Reduce the relevance of `values` `[B, T, n]`, and of their `bias` `[n]`, as soon as their gradient exists."""
        detached = values.detach()

        def reduce(gradient: Tensor) -> None:
            relevance = detached.double() * gradient.double()
            self._totals[name, layer] = relevance.sum()
            if bias is not None:
                self._biases[name, layer] = bias.double() @ gradient.double().sum((0, 1))
            if name == "intermediate":
                self._half = {layer: relevance / 2}
            elif name in ("gate", "up") and layer in self._half:
                self._from_half[name, layer] = _relative_error(relevance, self._half[layer])
                if {("gate", layer), ("up", layer)} <= self._from_half.keys():
                    self._half.clear()

        if values.requires_grad:
            values.register_hook(reduce)

    def total(self, name: str, layer: int) -> float:
        """Return the sum of the relevance at a place, NaN where no gradient arrived."""
        return float(self._totals.get((name, layer), torch.nan))

    def bias_share(self, name: str, layer: int) -> float:
        """Return the relevance that a layer's bias absorbs, 0 without bias or gradient."""
        return float(self._biases.get((name, layer), 0.0))

    def from_half(self, name: str, layer: int) -> float:
        """Return the relative error of gate or up against half of the intermediate, NaN without a gradient."""
        return float(self._from_half.get((name, layer), torch.nan))


@contextmanager
def _recording(model: Any) -> Iterator[_Recorder]:
    recorder = _Recorder()
    handles = []
    for k, mlp in enumerate(mlps(model)):
        before = {"mlp_input": mlp.module, "intermediate": mlp.down, "residual": mlp.layer}
        after = {"mlp_output": (mlp.module, mlp.down), "up": (mlp.up, mlp.up)}
        if mlp.gate is not None:
            after["gate"] = (mlp.gate, mlp.gate)
        for name, module in before.items():
            handles.append(
                module.register_forward_pre_hook(
                    lambda _, inputs, name=name, k=k: recorder.watch(name, k, inputs[0])
                )
            )
        for name, (module, linear) in after.items():
            bias = getattr(linear, "bias", None)
            handles.append(
                module.register_forward_hook(
                    lambda _, inputs, output, name=name, k=k, bias=bias: recorder.watch(name, k, output, bias)
                )
            )
    try:
        yield recorder
    finally:
        for handle in handles:
            handle.remove()


def self_test(
    model: Any,
    input_ids: Tensor,
    attention_mask: Tensor,
    *,
    rules: Any = "attnlrp",
    probes: int = 8,
    **options: Any,
) -> dict[str, float | list[float]]:
    """Check the identities of method section 2 on a probe batch and return the measured errors.

    Asserted (relative to the objective or the largest value): no NaN or infinity; batched = one by one; patched
    logits = unpatched logits; relevance is conserved inside the MLPs (not under `input_x_gradient`), where the biases
    of the first and of the second layer absorb what the epsilon rule gives them, bias x gradient; under AttnLRP
    relevance at the gate and up projections' outputs is half of the intermediate's.
    Recorded only: the share of the objective in the residual stream at each layer's input (AttnLRP's softmax rule
    leaks), and the correlation of predicted and actual change of the objective when a neuron is masked.

    Args:
        model: as in `attribution`.
        input_ids: int64 `[B, T]`.
        attention_mask: `[B, T]`.
        rules: as in `attribution`.
        probes: number of neurons masked one at a time for the recorded comparison.
        options: further options of `attribution`.

    Raises:
        RelevanceError: an asserted identity does not hold; the message names it, the error and the tolerance.
    """
    dtype = model.dtype if model.dtype in TOLERANCE else torch.bfloat16
    mask = attention_mask.bool()
    patched_error = _patched_logit_error(model, input_ids, mask, rules)
    with attribution(model, rules=rules, **options) as attribute:
        with _recording(model) as recorder:
            relevance = attribute(input_ids, attention_mask)
        with torch.no_grad():
            objective = attribute.objective(input_ids, mask)
        single = torch.cat(
            [attribute(row[m][None], m[m][None]) for row, m in zip(input_ids, mask, strict=True)]
        )
        scale = float(objective.abs().sum())
        errors = {
            "patched logits differ from unpatched": patched_error,
            BATCHED: float(_relative_error(relevance, single)),
            **_conservation(model, recorder, scale, rules),
        }
        measured: dict[str, float | list[float]] = dict(errors)
        measured["tolerance"] = TOLERANCE[dtype]
        measured["share of the objective in the residual stream"] = [
            recorder.total("residual", k) / float(objective.sum()) for k in range(1, len(mlps(model)))
        ]
        measured["correlation of predicted and actual change"] = _ablation_agreement(
            attribute, relevance, objective, input_ids, mask, probes
        )
    for name, error in errors.items():
        allowed = (BATCHED_TOLERANCE if name == BATCHED else TOLERANCE)[dtype]
        if not error <= allowed:
            raise RelevanceError(
                f"self-test failed: {name} by {error:.2e} (relative, allowed {allowed:.0e} in {model.dtype})"
            )
    return measured


def _relative_error(measured: Tensor, expected: Tensor) -> Tensor:
    """Return the largest difference relative to the largest expected value, 0-d float64, NaN if any is NaN."""
    return (measured - expected).abs().max().double() / expected.abs().max().double()


@torch.no_grad()
def _patched_logit_error(model: Any, input_ids: Tensor, mask: Tensor, rules: Any) -> float:
    plain = model(input_ids=input_ids).logits[mask]
    with lrp_rules(model, rules):
        patched = model(input_ids=input_ids).logits[mask]
    return float(_relative_error(patched, plain))


def _conservation(model: Any, recorder: _Recorder, scale: float, rules: str) -> dict[str, float]:
    """Return the relative errors of the identities inside the MLPs that the rule set guarantees."""
    if rules == "input_x_gradient":
        return {}
    inside, halves = [0.0], [0.0]
    for k, mlp in enumerate(mlps(model)):
        middle = recorder.total("intermediate", k)
        first = recorder.total("mlp_input", k) + sum(recorder.bias_share(name, k) for name in ("gate", "up"))
        second = recorder.total("mlp_output", k) - recorder.bias_share("mlp_output", k)
        inside += [abs(total - middle) / scale for total in (first, second)]
        if mlp.gate is not None and rules == "attnlrp":
            halves += [recorder.from_half(name, k) for name in ("gate", "up")]
    half = (
        {"relevance at gate or up is not half of the intermediate's": _worst(halves)}
        if len(halves) > 1
        else {}
    )
    return half | {"relevance is not conserved inside an MLP": _worst(inside)}


def _worst(errors: list[float]) -> float:
    """Return the largest error, NaN if any is NaN (`max` may skip it)."""
    return float(torch.tensor(errors, dtype=torch.float64).max())


def _ablation_agreement(
    attribute: Attribution, relevance: Tensor, objective: Tensor, input_ids: Tensor, mask: Tensor, probes: int
) -> float:
    """Return the correlation of relevance with the drop of the objective, over single masked neurons.

    The neurons are evenly spaced in the ranking by mean relevance, so that both signs and small values occur.
    """
    mean = relevance.mean(0)
    ranking = mean.flatten().argsort()
    chosen = ranking[torch.linspace(0, len(ranking) - 1, probes).round().long()].tolist()
    predicted, actual = [], []
    for flat in chosen:
        layer, neuron = divmod(flat, mean.shape[1])
        one = NeuronSet(
            {"probe": {layer: torch.tensor([neuron]).numpy()}}, layers=mean.shape[0], site=attribute.site
        )
        with masked(attribute.model, one, "probe"), torch.no_grad():
            actual.append(float((objective - attribute.objective(input_ids, mask)).mean()))
        predicted.append(float(mean[layer, neuron]))
    return float(torch.corrcoef(torch.tensor([predicted, actual]))[0, 1])
