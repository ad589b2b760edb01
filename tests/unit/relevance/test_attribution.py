"""Relevance: batched against one by one, and against aggregates and counters written out naively."""

import gc
import inspect
from typing import get_args

import pytest
import torch
from crane.models.architectures import mlps
from crane.models.families import UnsupportedModelError, positions
from crane.relevance.aggregates import AGGREGATES, Aggregate
from crane.relevance.attribution import RelevanceError, attribution
from crane.relevance.lrp import RULES
from crane.relevance.objectives import OBJECTIVES, Objective
from crane.study.schema import relevance as schema
from hypothesis import given, settings
from hypothesis import strategies as st
from support.relevance import LENGTHS, Captured, close, own_attributes


@pytest.fixture(scope="module")
def tiny(make_model, make_batch):
    """Return a model and a batch maker that live as long as hypothesis needs them."""
    return make_model("llama"), make_batch


def test_what_a_study_may_ask_for_is_what_there_is():
    assert get_args(schema.Objective) == get_args(Objective) == tuple(OBJECTIVES)
    assert get_args(schema.Aggregate) == get_args(Aggregate) == tuple(AGGREGATES)
    assert get_args(schema.Rules) == tuple(RULES)


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
    assert close(batched, torch.cat(single))


def test_all_families_batched_equals_one_by_one(every_model, make_batch):
    ids, mask = make_batch(LENGTHS)
    with attribution(every_model) as attribute:
        batched = attribute(ids, mask)
        single = [attribute(ids[i : i + 1, :n], mask[i : i + 1, :n]) for i, n in enumerate(LENGTHS)]
    assert close(batched, torch.cat(single))


def test_the_text_decoder_of_a_model_that_sees_images(make_model, make_batch):
    seeing, text = make_model("gemma3"), make_model("gemma3_text", final_logit_softcapping=None)
    text.model.load_state_dict(seeing.model.language_model.state_dict())
    text.lm_head.load_state_dict(seeing.lm_head.state_dict())
    found = []
    for model in (seeing, text):
        with attribution(model) as attribute:
            found.append(attribute(*make_batch(LENGTHS)))
    assert torch.equal(*found)


def test_attention_gets_no_padding_mask(every_model, make_batch):
    """A mask would keep it from the fast causal path; padding on the right is seen by no real token."""
    seen = []
    every_model.base_model.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(set(kwargs)), with_kwargs=True
    )
    with attribution(every_model) as attribute:
        attribute(*make_batch(LENGTHS))
    assert seen == [{"input_ids", "use_cache"}]


def test_what_the_padding_holds_changes_nothing(any_model, make_batch):
    ids, mask = make_batch(LENGTHS)
    with attribution(any_model) as attribute:
        found = [attribute(torch.where(mask.bool(), ids, other), mask) for other in (2, 77)]
    assert torch.equal(*found)


def test_samples_beyond_the_models_positions_are_refused_before_it_runs(every_model, make_batch):
    if positions(every_model.config) is None:
        pytest.skip("a model of any length")
    calls = []
    every_model.base_model.register_forward_pre_hook(lambda _, args: calls.append(args))
    ids, mask = make_batch([97, 5])
    with attribution(every_model) as attribute:
        for function in (attribute, attribute.objective):
            with pytest.raises(ValueError, match=r"samples of 97 tokens: the model has positions for 96"):
                function(ids, mask)
        assert calls == []
        assert attribute(*make_batch([96])).shape[0] == 1


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
        # The activations are positive exactly where their input is.
        gates = [output.reshape(-1, output.shape[-1])[:, : active.shape[1]] for output in outputs]
        expected[k] = sum((gate > 0).sum(0) for gate in gates)
    assert torch.equal(active, expected)


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
                sums[layer] = sums[layer] + values.pop().reshape(*real.shape, -1)[real].double().sum(0)
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


def test_an_unsupported_family_is_refused(llama):
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
    before = own_attributes(llama)
    with pytest.raises(ValueError, match="unknown"), attribution(llama, **option):
        pass
    assert llama.training
    assert all(p.requires_grad for p in llama.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in llama.modules())
    assert own_attributes(llama) == before


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
