"""The rules are installed on one model, and are gone afterwards."""

import pytest
import torch
from crane.models.families import UnsupportedModelError
from crane.relevance.attribution import attribution
from crane.relevance.lrp import lrp_rules
from support.relevance import LENGTHS, own_attributes


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


def test_models_of_one_family_are_independent(make_model, make_batch):
    """Rules of one model neither change another model of its family nor end with another's."""
    ids, mask = make_batch(LENGTHS)
    first, second = make_model("llama"), make_model("llama", seed=1)
    alone = {}
    for name, model, rules in (("first", first, "attnlrp"), ("second", second, "cp_lrp")):
        with attribution(model, rules=rules) as attribute:
            alone[name] = attribute(ids, mask)
    with attribution(second, rules="input_x_gradient") as attribute:
        plain = attribute(ids, mask)
    with attribution(first) as one:
        with attribution(second, rules="input_x_gradient") as attribute:
            assert torch.equal(attribute(ids, mask), plain)
        with attribution(second, rules="cp_lrp") as two:
            found = {"first": one(ids, mask), "second": two(ids, mask)}
        again = one(ids, mask)
    assert torch.equal(again, found["first"])
    assert all(torch.equal(found[name], alone[name]) for name in alone)


@pytest.mark.parametrize("rules", ["attnlrp", "cp_lrp"])
@pytest.mark.parametrize("fails", [False, True])
def test_the_modules_are_restored(every_model, rules, fails):
    before = own_attributes(every_model)
    hooks = [len(m._forward_hooks) for m in every_model.modules()]
    try:
        with lrp_rules(every_model, rules):
            assert own_attributes(every_model) != before
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    assert own_attributes(every_model) == before
    assert [len(m._forward_hooks) for m in every_model.modules()] == hooks
    with lrp_rules(every_model, rules):  # and may be entered again
        pass


def test_a_forward_of_the_modules_own_is_used_and_restored(llama, make_batch):
    """Libraries that move weights (accelerate) put a forward pass on the instance."""
    norm = llama.model.norm
    calls, original = [], norm.forward

    def counting(x):
        calls.append(x.shape)
        return original(x)

    norm.forward = counting
    with attribution(llama) as attribute:
        attribute(*make_batch([5]))
    assert len(calls) == 1
    assert vars(norm)["forward"] is counting


def test_rules_within_rules_are_refused_and_the_outer_ones_survive(llama, make_batch):
    with attribution(llama) as attribute:
        before = attribute(*make_batch([5]))
        with pytest.raises(RuntimeError, match="under LRP rules already"), lrp_rules(llama, "attnlrp"):
            pass
        assert torch.equal(attribute(*make_batch([5])), before)
