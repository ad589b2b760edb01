"""The rules against relevance that is shared out by hand, and what they leave of the classes that they patch."""

import math
import sys

import pytest
import torch
import transformers.models.llama.modeling_llama as modeling_llama
from crane.models.architectures import UnsupportedModelError, mlps
from crane.relevance.attribution import attribution
from crane.relevance.lrp import RULES, lrp_rules
from support.relevance import LENGTHS, Captured, close, patched_places


def test_gate_and_up_carry_half_of_the_intermediate_each(any_model, make_batch):
    gates, ups = ([getattr(mlp, name) for mlp in mlps(any_model)] for name in ("gate", "up"))
    if None in gates:
        pytest.skip("an MLP without a gate")
    ids, mask = make_batch(LENGTHS)
    with attribution(any_model) as attribute:
        gate, up = Captured(gates, "output"), Captured(ups, "output")
        relevance = attribute(ids, mask)
    assert close(gate.products().sum(1), relevance / 2)
    assert close(up.products().sum(1), relevance / 2)


def attnlrp_by_hand(model, ids):
    """AttnLRP of one sample, written as relevance that is shared out, for a model whose attention adds 0.

    Linear layers and sums: epsilon rule with epsilon 0 (eq. 8); the product of gate and up: uniform rule (eq. 7);
    activation, RMSNorm and soft-capping: identity rule (eq. 9) of Achtibat et al. 2024. Returns float64 `[K, I]`.
    """
    decoder, gemma = model.model, model.config.model_type.startswith("gemma")

    def linear(relevance, inputs, weight):  # [T, out], [T, in], [out, in] -> [T, in]
        share = inputs[:, None, :] * weight / (inputs @ weight.T)[:, :, None]
        return (relevance[:, :, None] * share).sum(1)

    def norm(module, x):
        epsilon, weight = (
            (module.eps, 1 + module.weight) if gemma else (module.variance_epsilon, module.weight)
        )
        return x / (x.pow(2).mean(-1, keepdim=True) + epsilon).sqrt() * weight

    def activation(x):
        if not gemma:
            return x * torch.sigmoid(x)
        return x / 2 * (1 + torch.tanh((2 / math.pi) ** 0.5 * (x + 0.044715 * x**3)))

    residual, trace = decoder.embed_tokens.weight[ids] * (ids.new_tensor(32.0) ** 0.5 if gemma else 1), []
    for layer in decoder.layers:
        before = getattr(layer, "pre_feedforward_layernorm", layer.post_attention_layernorm)
        mlp, x = layer.mlp, norm(before, residual)
        gate, up = x @ mlp.gate_proj.weight.T, x @ mlp.up_proj.weight.T
        product = activation(gate) * up
        written = product @ mlp.down_proj.weight.T
        if hasattr(layer, "post_feedforward_layernorm"):
            written = norm(layer.post_feedforward_layernorm, written)
        trace.append((mlp, residual, x, product, written))
        residual = residual + written
    final = norm(decoder.norm, residual)

    positions = len(ids) - 1
    logits = final[:-1] @ model.lm_head.weight.T
    cap = getattr(model.config, "final_logit_softcapping", None)
    capped = logits if cap is None else cap * torch.tanh(logits / cap)
    relevance = torch.zeros_like(logits)
    for t in range(positions):
        relevance[t, ids[t + 1]] = capped[t, ids[t + 1]] / positions
    relevance = linear(relevance, final[:-1], model.lm_head.weight)

    result = []
    for mlp, residual, x, product, written in reversed(trace):
        residual, x, product, written = (v[:-1] for v in (residual, x, product, written))
        at_mlp = relevance * written / (residual + written)
        at_product = linear(at_mlp, product, mlp.down_proj.weight)
        result.insert(0, at_product.sum(0))
        at_input = linear(at_product / 2, x, mlp.gate_proj.weight)
        at_input = at_input + linear(at_product / 2, x, mlp.up_proj.weight)
        relevance = relevance * residual / (residual + written) + at_input
    return torch.stack(result)


@pytest.mark.parametrize("family", ["llama", "gemma", "gemma2", "gemma3_text"])
@pytest.mark.parametrize("layers", [1, 3])
def test_attnlrp_equals_the_rules_written_by_hand(make_model, make_batch, family, layers):
    model = make_model(family, num_hidden_layers=layers)
    ids, mask = make_batch([10, 6])
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
    with attribution(model) as attribute:
        relevance = attribute(ids, mask)
    model.double()
    with torch.no_grad():
        by_hand = torch.stack([attnlrp_by_hand(model, row[:n]) for row, n in zip(ids, (10, 6), strict=True)])
    assert close(relevance.double(), by_hand)


def attention_by_hand(query, key, value, cap, scaling, given):
    """AttnLRP of one causal head, written as relevance that is shared out.

    Both products: uniform rule (eq. 7), each factor half; softmax: its Taylor expansion (eq. 13); soft-capping:
    identity rule (eq. 9). Takes `[T, d]` and the relevance of the output `[T, d]`; returns that of query, key, value.
    """
    causal = torch.ones(len(query), len(query), dtype=torch.bool).tril()
    raw = scaling * query @ key.T
    scores = raw if cap is None else cap * torch.tanh(raw / cap)
    weights = scores.masked_fill(~causal, -torch.inf).softmax(-1)
    parts = weights[:, :, None] * value  # [i, j, d]
    shares = given[:, None, :] * parts / parts.sum(1, keepdim=True)
    at_weights, at_value = shares.sum(2) / 2, shares.sum(0) / 2
    at_scores = scores * (at_weights - weights * at_weights.sum(1, keepdim=True))
    products = query[:, None, :] * key * scaling
    shares = at_scores[:, :, None] * products / raw[:, :, None] / 2
    return shares.sum(1), shares.sum(0), at_value


@pytest.mark.parametrize("cap", [None, 2.0])
def test_attention_equals_the_rules_written_by_hand(make_model, cap):
    model = make_model("gemma2", attn_logit_softcapping=cap)
    generator = torch.Generator().manual_seed(0)
    query, key, value, given = (
        torch.randn(1, heads, 6, 8, generator=generator, dtype=torch.float64) for heads in (4, 2, 2, 4)
    )
    mask = torch.full((6, 6), -torch.inf, dtype=torch.float64).triu(1)[None, None]
    inputs = [x.requires_grad_() for x in (query * 3, key, value)]
    with lrp_rules(model, "attnlrp"):
        attend = sys.modules[type(model).__module__].eager_attention_forward
        output, _ = attend(model.model.layers[0].self_attn, *inputs, mask, scaling=0.5, softcap=cap)
    output.backward((given / output.transpose(1, 2)).transpose(1, 2))  # relevance `given` at the output
    found = [x.detach() * x.grad for x in inputs]
    wanted = [torch.zeros_like(x) for x in inputs]
    for head in range(4):  # two query heads share a key and a value
        own = [x.detach()[0, at] for x, at in zip(inputs, (head, head // 2, head // 2), strict=True)]
        for total, at, part in zip(
            wanted,
            (head, head // 2, head // 2),
            attention_by_hand(*own, cap, 0.5, given[0, head]),
            strict=True,
        ):
            total[0, at] += part
    # The softmax here is float32, as in transformers.
    assert all(close(one, two, 1e-4) for one, two in zip(found, wanted, strict=True))


@pytest.mark.parametrize("rules", RULES)
def test_capped_attention_predicts_as_before_whatever_is_padded(make_model, make_batch, rules):
    model = make_model("gemma2")
    ids, mask = make_batch([12, 5])
    with torch.no_grad():
        plain = model(input_ids=ids, attention_mask=mask).logits[mask.bool()]
        with lrp_rules(model, rules):
            patched = model(input_ids=ids, attention_mask=mask).logits[mask.bool()]
        model.config.attn_logit_softcapping = None
        for layer in model.model.layers:
            layer.self_attn.attn_logit_softcapping = None
        uncapped = model(input_ids=ids, attention_mask=mask).logits[mask.bool()]
    assert close(patched, plain)
    assert not close(uncapped, plain, 0.1)


def test_soft_capping_keeps_the_relevance_of_the_surest_logits(make_model, make_batch):
    """Relevance at the last hidden state sums to the objective: the cap takes nothing of it."""
    model = make_model("gemma2", final_logit_softcapping=0.5)
    ids, mask = make_batch([12])
    totals = {}
    for rules in ("attnlrp", "input_x_gradient"):
        with attribution(model, rules=rules) as attribute:
            captured = Captured([model.model.norm], "output")
            attribute(ids, mask)
            total = captured.products().sum()
            totals[rules] = float(total / attribute.objective(ids, mask.bool()).detach())
    assert totals["attnlrp"] == pytest.approx(1, rel=1e-5)
    assert totals["input_x_gradient"] < 0.5


def test_attention_that_leaves_out_soft_capping_is_refused(make_model, make_batch):
    model = make_model("gemma2", attn_implementation="sdpa")
    with (
        pytest.raises(UnsupportedModelError, match=r"'sdpa'.*soft-cap.*attn_implementation='eager'"),
        attribution(model),
    ):
        pass
    uncapped = make_model("gemma2", attn_implementation="sdpa", attn_logit_softcapping=None)
    with attribution(uncapped) as attribute:
        assert attribute(*make_batch([5])).shape == (1, 3, 48)


def test_the_patched_model_predicts_what_the_plain_one_does(any_model, make_batch):
    ids, mask = make_batch(LENGTHS)
    with torch.no_grad():
        plain = any_model(input_ids=ids, attention_mask=mask).logits[mask.bool()]
        for rules in RULES:
            with lrp_rules(any_model, rules):
                patched = any_model(input_ids=ids, attention_mask=mask).logits[mask.bool()]
            assert close(patched, plain), rules


def test_the_rule_sets_differ(llama, make_batch):
    ids, mask = make_batch(LENGTHS)
    found = {}
    for rules in RULES:
        with attribution(llama, rules=rules) as attribute:
            found[rules] = attribute(ids, mask)
    assert not close(found["attnlrp"], found["cp_lrp"], 1e-2)
    assert not close(found["attnlrp"], found["input_x_gradient"], 1e-2)


def test_input_x_gradient_is_the_plain_gradient(any_model, make_batch):
    ids, mask = make_batch([7])
    with attribution(any_model, rules="input_x_gradient") as attribute:
        relevance = attribute(ids, mask)
    plain = Captured([mlp.down for mlp in mlps(any_model)], "input")
    logits = any_model(input_ids=ids).logits
    logits[0, :-1].gather(1, ids[0, 1:, None]).mean().backward()
    assert close(relevance, plain.products().sum(1))


@pytest.mark.parametrize("rules", ["attnlrp", "cp_lrp"])
def test_relevance_is_conserved_between_the_sites(llama, make_batch, rules):
    ids, mask = make_batch(LENGTHS)
    totals = {}
    for site in ("intermediate", "residual_write"):
        with attribution(llama, rules=rules, site=site) as attribute:
            relevance = attribute(ids, mask)
        assert relevance.shape == (4, 3, 48 if site == "intermediate" else 32)
        totals[site] = relevance.double().sum(2)
    assert close(totals["intermediate"], totals["residual_write"])


@pytest.mark.parametrize("rules", ["attnlrp", "cp_lrp"])
def test_every_familys_classes_are_restored(any_model, rules):
    modeling = sys.modules[type(any_model).__module__]

    def state():
        classes = [value for value in vars(modeling).values() if isinstance(value, type)]
        return [dict(vars(one)) for one in (*classes, torch.nn.LayerNorm, torch.nn.Dropout)] + [
            modeling.ALL_ATTENTION_FUNCTIONS,
            modeling.eager_attention_forward,
        ]

    before = state()
    with lrp_rules(any_model, rules):
        assert state() != before
    assert state() == before


@pytest.mark.parametrize("rules", ["attnlrp", "cp_lrp"])
@pytest.mark.parametrize("fails", [False, True])
def test_classes_are_restored(llama, make_batch, rules, fails):
    before = patched_places()
    classes = {
        c: set(vars(c)) for c in (modeling_llama.LlamaMLP, modeling_llama.LlamaRMSNorm, torch.nn.Dropout)
    }
    modules = {name: sys.modules.get(name) for name in ("lxt.efficient", "lxt.efficient.models")}
    try:
        with attribution(llama, rules=rules) as attribute:
            inside = patched_places()
            assert all(inside[name] is not before[name] for name in before)
            attribute(*make_batch([4]))
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    after = patched_places()
    assert all(after[name] is before[name] for name in before)
    assert {c: set(vars(c)) for c in classes} == classes
    assert {name: sys.modules.get(name) for name in modules} == modules
    assert not any(m in sys.modules and not hasattr(sys.modules[m], "__file__") for m in modules)


def test_rules_within_rules_are_refused_and_the_outer_ones_survive(llama):
    before = patched_places()
    with lrp_rules(llama, "attnlrp"):
        inside = patched_places()
        with pytest.raises(UnsupportedModelError, match="could not patch"), lrp_rules(llama, "attnlrp"):
            pass
        assert patched_places() == inside
    assert patched_places() == before
