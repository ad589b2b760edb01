"""Relevance: batched against one by one, and against rules, objectives and counters written out naively."""

import gc
import inspect
import math
import sys

import pytest
import torch
import transformers.models.llama.modeling_llama as modeling_llama
from crane.models.architectures import UnsupportedModelError, mlps
from crane.relevance.attribution import AGGREGATES, OBJECTIVES, RelevanceError, attribution
from crane.relevance.lrp import RULES, lrp_rules
from hypothesis import given, settings
from hypothesis import strategies as st

LENGTHS = [9, 2, 5, 12]


def close(one: torch.Tensor, two: torch.Tensor, rtol: float = 1e-5) -> bool:
    """Whether two tensors agree relative to the largest value."""
    return one.shape == two.shape and float((one - two).abs().max() / two.abs().max()) < rtol


@pytest.fixture(scope="module")
def tiny(make_model, make_batch):
    """Return a model and a batch maker that live as long as hypothesis needs them."""
    return make_model("llama"), make_batch


# Batches ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_batched_equals_one_by_one(llama, make_batch, rules, objective):
    ids, mask = make_batch(LENGTHS)
    with attribution(llama, rules=rules, objective=objective) as attribute:
        batched = attribute(ids, mask)
        single = [attribute(ids[i : i + 1, :n], mask[i : i + 1, :n]) for i, n in enumerate(LENGTHS)]
    assert batched.dtype == torch.float32
    assert batched.shape == (4, 3, 48)
    assert close(batched, torch.cat(single))


@given(lengths=st.lists(st.integers(2, 20), min_size=1, max_size=6), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_padding_of_any_length_changes_nothing(tiny, lengths, seed):
    model, make_batch = tiny
    ids, mask = make_batch(lengths, seed)
    with attribution(model) as attribute:
        batched = attribute(ids, mask)
        single = [attribute(ids[i : i + 1, :n], mask[i : i + 1, :n]) for i, n in enumerate(lengths)]
    # Not 1e-5: LXT's identity rule is silu(x) / (x + 1e-10), off by 1% where float32 leaves a gate at 1e-8.
    assert close(batched, torch.cat(single), 1e-4)


def test_all_families_batched_equals_one_by_one(any_model, make_batch):
    ids, mask = make_batch(LENGTHS)
    with attribution(any_model) as attribute:
        batched = attribute(ids, mask)
        single = [attribute(ids[i : i + 1, :n], mask[i : i + 1, :n]) for i, n in enumerate(LENGTHS)]
    assert close(batched, torch.cat(single))


# Rules ----------------------------------------------------------------------------------------------------


class Captured:
    """Values and gradients at a module's input or output, `[B, T, n]`, by hooks of the test's own."""

    def __init__(self, modules, where):
        self.values = [None] * len(modules)
        self.handles = []
        for k, module in enumerate(modules):
            if where == "input":
                hook = module.register_forward_pre_hook(lambda _, args, k=k: self._keep(k, args[0]))
            else:
                hook = module.register_forward_hook(lambda _, args, output, k=k: self._keep(k, output))
            self.handles.append(hook)

    def _keep(self, k, values):
        values.retain_grad()
        self.values[k] = values

    def products(self):
        for handle in self.handles:
            handle.remove()
        return torch.stack([v.detach() * v.grad for v in self.values], 2)  # [B, T, K, n]


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


def test_the_text_decoder_of_a_model_that_sees_images(make_model, make_batch):
    seeing, text = make_model("gemma3"), make_model("gemma3_text", final_logit_softcapping=None)
    text.model.load_state_dict(seeing.model.language_model.state_dict())
    text.lm_head.load_state_dict(seeing.lm_head.state_dict())
    found = []
    for model in (seeing, text):
        with attribution(model) as attribute:
            found.append(attribute(*make_batch(LENGTHS)))
    assert torch.equal(*found)


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


# LXT's patches -----------------------------------------------------------------------------------------------


def patched_places():
    """Return everything that LXT replaces for LLaMA."""
    return {
        "mlp": modeling_llama.LlamaMLP.__dict__["forward"],
        "norm": modeling_llama.LlamaRMSNorm.__dict__["forward"],
        "dropout": torch.nn.Dropout.__dict__["forward"],
        "attention": modeling_llama.ALL_ATTENTION_FUNCTIONS,
        "eager": modeling_llama.eager_attention_forward,
    }


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


# Objectives and aggregates -------------------------------------------------------------------------------------


def objective_by_loop(name, logits, ids, length):
    """Objective of one sample from its full logits `[T, V]`."""
    steps = range(length - 1)
    next_logit = sum(float(logits[t, ids[t + 1]]) for t in steps) / len(steps)
    next_logprob = sum(float(logits[t].log_softmax(-1)[ids[t + 1]]) for t in steps) / len(steps)
    last = float(logits[length - 1].max())
    return {
        "next_token_logit": next_logit,
        "next_token_logprob": next_logprob,
        "last_token_max_logit": last,
        "next_token_logit_plus_last_max": next_logit + last,
    }[name]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_objectives_equal_loops_over_full_logits(any_model, make_batch, objective):
    ids, mask = make_batch(LENGTHS)
    with torch.no_grad():
        logits = any_model(input_ids=ids, attention_mask=mask).logits
        with attribution(any_model, objective=objective) as attribute:
            values = attribute.objective(ids, mask.bool())
    expected = [objective_by_loop(objective, logits[i], ids[i], n) for i, n in enumerate(LENGTHS)]
    assert values.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("skip_first", [False, True])
@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_aggregates_equal_loops_over_tokens(llama, make_batch, aggregate, skip_first):
    ids, mask = make_batch(LENGTHS)
    with attribution(llama, aggregate=aggregate, skip_first=skip_first) as attribute:
        captured = Captured([mlp.down for mlp in mlps(llama)], "input")
        relevance = attribute(ids, mask)
    products = captured.products()
    expected = torch.empty_like(relevance)
    for i, length in enumerate(LENGTHS):
        tokens = products[i, int(skip_first) : length]  # [t, K, I]
        expected[i] = {
            "sum": lambda x: x.sum(0),
            "mean": lambda x: x.mean(0),
            "sum_abs": lambda x: x.abs().sum(0),
            "max_abs": lambda x: x.abs().amax(0),
        }[aggregate](tokens)
    assert close(relevance, expected)


def test_activation_counters_equal_a_naive_count(any_model, make_batch):
    batches = [make_batch(LENGTHS), make_batch([3, 7], seed=1)]
    with attribution(any_model) as attribute:
        for ids, mask in batches:
            attribute(ids, mask)
        active, tokens = attribute.active, attribute.tokens
    assert tokens == sum(LENGTHS) + 10
    expected = torch.zeros_like(active)
    for k, mlp in enumerate(mlps(any_model)):
        source = mlp.gate if mlp.gate is not None else mlp.up
        outputs = []
        handle = source.register_forward_hook(lambda _, args, output, outputs=outputs: outputs.append(output))
        with torch.no_grad():
            for ids, mask in batches:
                for row, real in zip(ids, mask, strict=True):
                    any_model(input_ids=row[real.bool()][None])
        handle.remove()
        # SiLU and GELU are positive exactly where their input is.
        expected[k] = sum((output[0] > 0).sum(0) for output in outputs)
    assert torch.equal(active, expected)


# Refusals, and what is left behind ------------------------------------------------------------------------------


@pytest.mark.parametrize("site", ["intermediate", "residual_write"])
@pytest.mark.parametrize("skip_first", [False, True])
def test_value_sums_equal_the_site_by_hooks(any_model, make_batch, site, skip_first):
    """Two batches, padding left out, the first position too where it is to be."""
    seen = [[] for _ in mlps(any_model)]

    def keep(layer, values):
        seen[layer].append(values.detach())

    sums, counted = [torch.zeros(()) for _ in seen], 0
    with attribution(any_model, site=site, skip_first=skip_first) as attribute:
        handles = [
            mlp.down.register_forward_hook(
                lambda _, args, output, k=k: keep(k, args[0] if site == "intermediate" else output)
            )
            for k, mlp in enumerate(mlps(any_model))
        ]
        for lengths, seed in ((LENGTHS, 0), ([10], 1)):
            ids, mask = make_batch(lengths, seed)
            attribute(ids, mask)
            real = mask.clone().bool()
            if skip_first:
                real[:, 0] = False
            counted += int(real.sum())
            for layer, values in enumerate(seen):
                sums[layer] = sums[layer] + values.pop()[real].double().sum(0)
        for handle in handles:
            handle.remove()
        assert attribute.counted == counted
        torch.testing.assert_close(attribute.value_sum, torch.stack(sums), rtol=1e-5, atol=1e-5)
    assert attribute.value_sum.dtype == torch.float64


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ({"rules": "attn_lrp"}, "attnlrp, cp_lrp, input_x_gradient"),
        ({"objective": "next_token"}, "next_token_logit, next_token_logprob"),
        ({"aggregate": "Sum"}, "sum, mean, sum_abs, max_abs"),
        ({"site": "output"}, "intermediate, residual_write"),
    ],
)
def test_misspelt_options_name_the_known_ones(llama, option, known):
    (value,) = option.values()
    with pytest.raises(ValueError, match=known) as caught, attribution(llama, **option):
        pass
    assert repr(value) in str(caught.value)


def test_nan_names_the_layers(llama, make_batch):
    with torch.no_grad():
        llama.model.layers[1].mlp.up_proj.weight[0, 0] = torch.nan
    with pytest.raises(RelevanceError, match=r"layers \[.*1.*\]"), attribution(llama) as attribute:
        attribute(*make_batch([5]))


def test_left_padding_and_single_tokens_are_refused(llama, make_batch):
    ids, mask = make_batch([5, 3])
    with attribution(llama) as attribute:
        with pytest.raises(ValueError, match="padding must be on the right"):
            attribute(ids, mask.flip(1))
        with pytest.raises(ValueError, match="at least 2 tokens"):
            attribute(*make_batch([5, 1]))
        assert attribute.tokens == 0


def test_unsupported_family(llama):
    llama.config.model_type = "bert"
    with pytest.raises(UnsupportedModelError, match=r"'bert'.*supported: .*llama"), attribution(llama):
        pass


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was(llama, make_batch, fails):
    llama.train()
    frozen = llama.model.layers[0].mlp.up_proj.weight
    frozen.requires_grad_(False)
    flags = {name: p.requires_grad for name, p in llama.named_parameters()}
    values = {name: p.clone() for name, p in llama.named_parameters()}
    try:
        with attribution(llama) as attribute:
            assert not llama.training
            assert not any(p.requires_grad for p in llama.parameters())
            attribute(*make_batch(LENGTHS))
            if fails:
                raise RuntimeError
    except RuntimeError:
        assert fails
    assert llama.training
    assert {name: p.requires_grad for name, p in llama.named_parameters()} == flags
    assert all(p.grad is None and torch.equal(p, values[name]) for name, p in llama.named_parameters())
    for module in llama.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


@pytest.mark.parametrize("option", [{"site": "output"}, {"rules": "none"}, {"objective": "loss"}])
def test_a_refused_option_leaves_nothing(llama, option):
    llama.train()
    before = patched_places()
    with pytest.raises(ValueError, match="unknown"), attribution(llama, **option):
        pass
    assert llama.training
    assert all(p.requires_grad for p in llama.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in llama.modules())
    assert patched_places() == before


def test_attribution_is_documented_with_its_options():
    documented = inspect.getdoc(attribution)
    for option in ("rules", "objective", "aggregate", "site", "skip_first"):
        assert f"{option}:" in documented


def test_no_batch_leaves_its_activations_behind(llama):
    """A hook that holds the tensor it hangs on keeps every batch alive, which the garbage collector cannot free."""

    def activations() -> int:
        gc.collect()
        return sum(1 for x in gc.get_objects() if type(x) is torch.Tensor and x.ndim == 3)

    ids = torch.arange(2, 22).reshape(2, 10)
    with attribution(llama) as attribute:
        attribute(ids, torch.ones_like(ids))
        before = activations()
        for _ in range(3):
            attribute(ids, torch.ones_like(ids))
        assert activations() == before
