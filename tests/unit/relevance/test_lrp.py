"""The rules against LXT's own and against relevance that is shared out by hand."""

import json
import math

import crane.relevance.attribution
import pytest
import torch
from crane.models.architectures import blocks, mlps
from crane.relevance.attribution import attribution
from crane.relevance.lrp import RULES, lrp_rules
from crane.relevance.mlp_hooks import start_graph
from support import lxt_patches, stock_lxt
from support.lxt_patches import lxt_rules
from support.relevance import LENGTHS, Captured, close


@pytest.mark.parametrize(
    ("rules", "dtype", "tolerance"),
    [
        # What is left is LXT's 1e-10 in the quotients: up to 1e-7 on 90 random models, 1e-9 on most.
        ("attnlrp", torch.float64, 2e-7),
        # Here LXT differs from itself in float64 by up to 1e-6.
        ("attnlrp", torch.float32, 1e-6),
        ("cp_lrp", torch.float32, 1e-6),
    ],
)
@pytest.mark.parametrize("family", lxt_patches.FAMILIES)
def test_relevance_equals_that_under_lxts_patches(
    make_model, make_batch, monkeypatch, family, rules, dtype, tolerance
):
    model = make_model(family).to(dtype)
    if dtype == torch.float64:
        # Norms and sums ask for float32 by name; what they round would hide what is compared.
        monkeypatch.setattr(torch, "float32", torch.float64)
        monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    found = []
    for installed in (lrp_rules, lxt_rules):
        monkeypatch.setattr(crane.relevance.attribution, "lrp_rules", installed)
        with attribution(model, rules=rules) as attribute:
            found.append(attribute(*make_batch(LENGTHS)))
    assert found[0].dtype == dtype
    assert close(*found, tolerance)


def test_gate_and_up_carry_half_of_the_intermediate_each(any_model, make_batch):
    gates, ups = ([getattr(mlp, name) for mlp in mlps(any_model)] for name in ("gate", "up"))
    if None in gates:
        pytest.skip("an MLP without a gate")
    ids, mask = make_batch(LENGTHS)
    with attribution(any_model) as attribute:
        # Relevance itself asks for nothing below the first neurons.
        handle = blocks(any_model)[0].module.register_forward_pre_hook(start_graph)
        gate, up = Captured(gates, "output"), Captured(ups, "output")
        relevance = attribute(ids, mask)
        handle.remove()
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
    model = make_model("gemma2", attn_logit_softcapping=cap, sliding_window=None).double()
    attention = model.model.layers[0].self_attn
    torch.nn.init.eye_(attention.o_proj.weight)
    generator = torch.Generator().manual_seed(0)
    hidden, given = (torch.randn(1, 6, 32, generator=generator, dtype=torch.float64) for _ in range(2))
    mask = torch.full((6, 6), -torch.inf, dtype=torch.float64).triu(1)[None, None]
    unrotated = torch.ones(1, 6, 8, dtype=torch.float64), torch.zeros(1, 6, 8, dtype=torch.float64)
    captured = [
        Captured([projection], "output")
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
    ]
    with lrp_rules(model, "attnlrp"):
        output, _ = attention(hidden, position_embeddings=unrotated, attention_mask=mask)
    output.backward(given / output)  # relevance `given` at the output
    heads = [
        (one.values[0].detach()[0].unflatten(1, (-1, 8)), one.products()[0, :, 0].unflatten(1, (-1, 8)))
        for one in captured
    ]
    wanted = [torch.zeros_like(found) for _, found in heads]
    for head in range(4):  # two query heads share a key and a value
        places = (head, head // 2, head // 2)
        own = [values[:, at] for (values, _), at in zip(heads, places, strict=True)]
        shares = attention_by_hand(*own, cap, attention.scaling, given[0].unflatten(1, (4, 8))[:, head])
        for total, at, part in zip(wanted, places, shares, strict=True):
            total[:, at] += part
    # The softmax here is float32, as in transformers.
    assert all(close(found, two, 1e-4) for (_, found), two in zip(heads, wanted, strict=True))


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
    assert torch.equal(patched, plain)
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_rule_changes_a_bit_of_the_logits(every_model, make_batch, dtype):
    every_model.to(dtype)
    ids, mask = make_batch(LENGTHS)
    with torch.no_grad():
        plain = every_model(input_ids=ids, attention_mask=mask).logits
        for rules in RULES:
            with lrp_rules(every_model, rules):
                assert torch.equal(every_model(input_ids=ids, attention_mask=mask).logits, plain), rules


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
    assert close(relevance, plain.products().reshape(1, 7, *relevance.shape[1:]).sum(1))


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


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("family", stock_lxt.FAMILIES)
def test_relevance_equals_that_recorded_of_stock_lxt(family, dtype):
    """As LXT installs its rules itself, under the transformers that it was made for."""
    recorded = json.loads(stock_lxt.RECORDED.read_text())[family]
    model, ids = stock_lxt.build(family, dtype), torch.tensor(stock_lxt.IDS)
    with torch.no_grad():
        logits = model(input_ids=ids).logits.flatten()[: len(recorded["logits"])]
    assert close(logits.double(), torch.tensor(recorded["logits"], dtype=torch.float64), 1e-6)
    with attribution(model) as attribute:
        relevance = attribute(ids, torch.ones_like(ids))[0]
    assert close(relevance, torch.tensor(recorded["relevance"]), 1e-6)
