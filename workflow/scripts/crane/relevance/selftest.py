"""Self-tests of the relevance on a probe batch: a run whose relevance violates a known identity stops."""

from typing import Any

import torch
from torch import Tensor

from crane.models.architectures import blocks, mlps, norms
from crane.relevance.ablation import agreement, random_neurons
from crane.relevance.attribution import RelevanceError, attribution
from crane.relevance.lrp import lrp_rules
from crane.relevance.objectives import Head
from crane.relevance.passage import Batch
from crane.relevance.recorder import Recorder, first_places, recording, relative_error

# Relative errors that the arithmetic allows: float32 as the method requires; bfloat16 has 8 significant bits.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10, torch.bfloat16: 5e-2}
BATCHED = "batched relevance differs from one by one"
# In an MLP without a gate, LXT's identity rule divides by the activation's input: near 0 it amplifies the last bits,
# which depend on the shape of the batch. The largest error in about 700 batches of float32 was 2.7e-5.
BATCHED_TOLERANCE = TOLERANCE | {torch.float32: 1e-4}
ABLATION_TOKENS = 32
"""Length of the sample on which single neurons are masked."""


def self_test(
    model: Any,
    input_ids: Tensor,
    attention_mask: Tensor,
    *,
    rules: Any = "attnlrp",
    neurons: int = 200,
    **options: Any,
) -> dict[str, float | list[float]]:
    """Check the identities of method section 2 on a probe batch and return the measured errors.

    Asserted (relative to the objective or the largest value): no NaN or infinity; batched = one by one; patched
    logits = unpatched logits; the objective's logits = the model's; relevance is conserved inside the MLPs and experts
    (not under `input_x_gradient`), where the biases of the first and of the second layer absorb what the epsilon rule
    gives them, bias x gradient; likewise in the norms; under AttnLRP relevance at the gate and up projections' outputs
    is half of the intermediate's.
    Recorded only: the share of the objective in the residual stream at each layer's input (AttnLRP's softmax rule
    leaks), and how relevance agrees with the change of the objective when single neurons are masked
    (`crane.relevance.ablation`).

    Args:
        model: as in `attribution`.
        input_ids: int64 `[B, T]`.
        attention_mask: `[B, T]`.
        rules: as in `attribution`.
        neurons: how many random neurons are masked, one at a time, for the recorded comparison.
        options: further options of `attribution`.

    Raises:
        RelevanceError: an asserted identity does not hold; the message names it, the error and the tolerance.
    """
    dtype = model.dtype if model.dtype in TOLERANCE else torch.bfloat16
    mask = attention_mask.bool()
    router = options.get("router", "constant") if rules == "attnlrp" else "constant"
    patched_error = _patched_logit_error(model, input_ids, mask, rules)
    with attribution(model, rules=rules, **options) as attribute:
        with recording(model) as recorder:
            relevance = attribute(input_ids, attention_mask)
        seen = attribute.seen
        with torch.no_grad():
            objective = attribute.objective(input_ids, mask)
        single = torch.cat(
            attribute.relevances(
                [Batch(row[m][None], m[m][None]) for row, m in zip(input_ids, mask, strict=True)]
            )
        )
        scale = float(objective.abs().sum())
        errors = {
            "patched logits differ from unpatched": patched_error,
            "the objective's logits differ from the model's": _head_error(model, input_ids, mask, rules),
            **_conservation(model, recorder, scale, rules, router),
        }
        # The last bits of hidden states depend on the batch, and where two experts are as good as equal they decide
        # between them; samples for which they did are samples of another model.
        same = torch.ones(len(relevance), dtype=torch.bool, device=relevance.device)
        if seen:
            same = (torch.cat(seen) == torch.cat(attribute.seen)).flatten(1).all(1)
        if same.any():
            errors[BATCHED] = float(relative_error(relevance[same], single[same]))
        measured: dict[str, float | list[float]] = dict(errors)
        if seen:
            measured["samples routed otherwise in a batch"] = int((~same).sum())
        measured["tolerance"] = TOLERANCE[dtype]
        measured["share of the objective in the residual stream"] = [
            recorder.total("residual", k) / float(objective.sum()) for k in range(1, len(blocks(model)))
        ]
        # Of all checks the only one whose cost grows with the neurons: one short sample, about a batch of the run.
        short, its_mask = input_ids[:1, :ABLATION_TOKENS], mask[:1, :ABLATION_TOKENS]
        its_relevance = attribute(short, its_mask)
        chosen = random_neurons(its_relevance, neurons)
        agreed = agreement(attribute, its_relevance, short, its_mask, chosen)
        for name, value in agreed._asdict().items():
            measured[f"masking single neurons: {name}"] = value
    for name, error in errors.items():
        allowed = (BATCHED_TOLERANCE if name == BATCHED else TOLERANCE)[dtype]
        if not error <= allowed:
            raise RelevanceError(
                f"self-test failed: {name} by {error:.2e} (relative, allowed {allowed:.0e} in {model.dtype})"
            )
    return measured


@torch.no_grad()
def _patched_logit_error(model: Any, input_ids: Tensor, mask: Tensor, rules: Any) -> float:
    plain = model(input_ids=input_ids).logits[mask]
    with lrp_rules(model, rules):
        patched = model(input_ids=input_ids).logits[mask]
    return float(relative_error(patched, plain))


@torch.no_grad()
def _head_error(model: Any, input_ids: Tensor, mask: Tensor, rules: Any) -> float:
    """Return the relative error of the logits that objectives compute themselves."""
    logits = model(input_ids=input_ids).logits[mask].float()
    hidden = model.base_model(input_ids=input_ids, use_cache=False).last_hidden_state[mask]
    head, tokens = Head(model, rules), input_ids[mask]
    chosen = logits.gather(1, tokens[:, None]).squeeze(1)
    errors = relative_error(head.all(hidden), logits), relative_error(head.selected(hidden, tokens), chosen)
    return _worst([float(error) for error in errors])


def _conservation(model: Any, recorder: Recorder, scale: float, rules: str, router: str) -> dict[str, float]:
    """Return the relative errors of the identities inside MLPs and norms that the rule set guarantees."""
    if rules == "input_x_gradient":
        return {}
    inside, halves = [0.0], [0.0]
    for k, mlp in enumerate(mlps(model)):
        middle = recorder.total("intermediate", k)
        first = recorder.total("mlp_input", k) + sum(
            recorder.bias_share(name, k) for name in first_places(mlp)
        )
        second = recorder.total("mlp_output", k) - recorder.bias_share("mlp_output", k)
        inside += [abs(total - middle) / scale for total in (first, second)]
        if mlp.gated and rules == "attnlrp":
            halves += [recorder.from_half(name, k) for name in first_places(mlp)]
    for of_experts in recorder.experts:
        # Under the uniform rule the router has the other half of what leaves the experts.
        leaving = of_experts.leaving / (2 if router == "uniform" else 1)
        inside += [abs(total - of_experts.neurons) / scale for total in (of_experts.entering, leaving)]
        if rules == "attnlrp":
            halves.append(of_experts.from_half)
    at_norms = [0.0]
    for number in range(len(norms(model))):
        if recorder.arrived("norm_output", number):  # not below the first MLP, where nothing has relevance
            behind = recorder.total("norm_output", number) - recorder.bias_share("norm_output", number)
            at_norms.append(abs(recorder.total("norm_input", number) - behind) / scale)
    half = (
        {"relevance at gate or up is not half of the intermediate's": _worst(halves)}
        if len(halves) > 1
        else {}
    )
    return half | {
        "relevance is not conserved inside an MLP": _worst(inside),
        "relevance is not conserved in a norm": _worst(at_norms),
    }


def _worst(errors: list[float]) -> float:
    """Return the largest error, NaN if any is NaN (`max` may skip it)."""
    return float(torch.tensor(errors, dtype=torch.float64).max())
