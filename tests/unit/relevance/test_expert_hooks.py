"""Relevance of experts' neurons, against gradients of weights and against loops over single tokens."""

import pytest
import torch
from crane.models.architectures import blocks
from crane.models.experts import gate_of
from crane.models.families import groups_of
from crane.neurons.interventions import masked
from crane.neurons.neuron_set import NeuronSet
from crane.relevance.aggregates import AGGREGATES
from crane.relevance.attribution import RelevanceError, attribution
from crane.relevance.expert_recorder import ExpertRecorder
from crane.relevance.lrp import RULES, lrp_rules
from crane.relevance.rules import Clamps, clamped_product
from crane.relevance.selftest import self_test
from support.relevance import LENGTHS, close


def by_gradients_of_weights(model, ids):
    """Return `[K, N]` of one sample: each neuron's relevance is weight x gradient, summed over what it writes."""
    model(input_ids=ids).logits[:, :-1].gather(2, ids[:, 1:, None]).mean().backward()
    found = []
    for block in blocks(model):
        down = block.experts.module.down_proj
        product = down.detach() * down.grad
        product = product if block.experts.module.is_transposed else product.transpose(1, 2)
        shared = []
        if block.mlp is not None:
            shared = [(block.mlp.down.weight.detach() * block.mlp.down.weight.grad).sum(0)]
        found.append(torch.cat([product.sum(2).flatten(), *shared]))
    model.zero_grad()
    return torch.stack(found)


@pytest.mark.parametrize("rules", RULES)
def test_relevance_equals_the_gradients_of_the_weights(with_experts, make_batch, rules):
    ids, mask = make_batch(LENGTHS)
    with attribution(with_experts, rules=rules) as attribute:
        found = attribute(ids, mask)
    with lrp_rules(with_experts, rules):
        expected = [by_gradients_of_weights(with_experts, ids[i : i + 1, :n]) for i, n in enumerate(LENGTHS)]
    assert close(found, torch.stack(expected))


@pytest.mark.parametrize("rules", ["attnlrp", "cp_lrp"])
def test_the_uniform_rule_gives_the_router_half_under_attnlrp(with_experts, make_batch, rules):
    batch = make_batch(LENGTHS)
    found = []
    for router in ("constant", "uniform"):
        with attribution(with_experts, rules=rules, router=router) as attribute:
            found.append(attribute(*batch))
    last = [relevance[:, -1] for relevance in found]
    # Above the last layer nothing differs; below it the routers' halves arrive.
    assert close(last[1], last[0] / (2 if rules == "attnlrp" else 1))
    assert close(found[1][:, 0], found[0][:, 0]) == (rules == "cp_lrp")


def test_an_unknown_router_rule_is_refused(make_model):
    with (
        pytest.raises(ValueError, match="'half'; known: constant, uniform"),
        attribution(make_model("mixtral"), router="half"),
    ):
        pass


class Routers:
    """Inputs and choices of every layer's router, and the real tokens' activations, one token at a time."""

    def __init__(self, model):
        self.seen = [[] for _ in blocks(model)]
        self.handles = [
            (getattr(block.module, "router", None) or block.module.gate).register_forward_hook(
                lambda _, inputs, output, k=k: self.seen[k].append((inputs[0].detach(), output[2]))
            )
            for k, block in enumerate(blocks(model))
        ]

    def close(self):
        for handle in self.handles:
            handle.remove()


def gate_and_up(experts, expert, x):
    """Return gate and up of one token in one expert, each `[I]`."""
    if not experts.is_transposed:
        return (experts.gate_up_proj[expert] @ x).chunk(2)
    both = x @ experts.gate_up_proj[expert] + experts.gate_up_proj_bias[expert]
    return both[::2], both[1::2]


def neurons_of(experts, gate, up):
    if not experts.is_transposed:
        return gate * torch.sigmoid(gate) * up
    gate, up = gate.clamp(max=experts.limit), up.clamp(-experts.limit, experts.limit)
    return (up + 1) * gate * torch.sigmoid(experts.alpha * gate)


@pytest.mark.parametrize("skip_first", [False, True])
@torch.no_grad()
def test_counters_equal_loops_over_tokens(with_experts, make_batch, skip_first):
    ids, mask = make_batch(LENGTHS)
    groups, layers = groups_of(with_experts.config), len(blocks(with_experts))
    active, sums = (torch.zeros(layers, groups.routed) for _ in range(2))
    tokens = torch.zeros(layers, groups.number)
    seen = torch.zeros(len(LENGTHS), layers, groups.number)
    routers = Routers(with_experts)
    for sample, length in enumerate(LENGTHS):
        with_experts(input_ids=ids[sample : sample + 1, :length])
        for k, block in enumerate(blocks(with_experts)):
            hidden, chosen = routers.seen[k].pop()
            for t, (x, of_token) in enumerate(zip(hidden.flatten(0, -2), chosen, strict=True)):
                counted = not (skip_first and t == 0)
                for expert in of_token.tolist():
                    gate, up = gate_and_up(block.experts.module, expert, x)
                    own = slice(expert * groups.width, (expert + 1) * groups.width)
                    active[k, own] += gate > 0
                    tokens[k, expert] += 1
                    if counted:
                        sums[k, own] += neurons_of(block.experts.module, gate, up)
                        seen[sample, k, expert] += 1
                if groups.shared:
                    tokens[k, -1] += 1
                    seen[sample, k, -1] += counted
    routers.close()
    with attribution(with_experts, skip_first=skip_first) as attribute:
        attribute(ids, mask)
    assert torch.equal(attribute.active[:, : groups.routed], active.long())
    torch.testing.assert_close(attribute.value_sum[:, : groups.routed].float(), sums, rtol=1e-5, atol=1e-5)
    assert torch.equal(attribute.seen[0], seen.long())
    assert torch.equal(attribute.routed.tokens, tokens.long())
    assert torch.equal(attribute.routed.counted, seen.sum(0).long())
    assert torch.equal(attribute.routed.samples, (seen > 0).sum(0))
    assert attribute.routed.tokens[:, : groups.experts].sum() == 2 * layers * sum(LENGTHS)


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_aggregates_equal_loops_over_tokens(make_model, make_batch, aggregate):
    """Each token's relevance, of samples cut so that another token is the last with a gradient, by one more hook."""
    model = make_model("qwen2_moe")
    ids, mask = make_batch(LENGTHS)
    groups = groups_of(model.config)
    with attribution(model, aggregate=aggregate, skip_first=True) as attribute:
        kept = {}

        def keep(gate, inputs, neurons):
            neurons.retain_grad()
            kept["neurons"], kept["routing"] = neurons, gate.routing

        gate_of(blocks(model)[1].experts).register_forward_hook(keep)
        found = attribute(ids, mask)
    product = kept["neurons"].detach() * kept["neurons"].grad
    expected = torch.zeros(len(LENGTHS), groups.routed)
    for sample, length in enumerate(LENGTHS):
        by_token = torch.zeros(length - 1, groups.experts, groups.width)
        for row, (token, expert) in enumerate(zip(*kept["routing"], strict=True)):
            of_sample, t = divmod(int(token), ids.shape[1])
            if of_sample == sample and 0 < t < length:
                by_token[t - 1, int(expert)] = product[row]
        expected[sample] = {
            "sum": lambda x: x.sum(0),
            "mean": lambda x: x.mean(0),
            "sum_abs": lambda x: x.abs().sum(0),
            "max_abs": lambda x: x.abs().amax(0),
        }[aggregate](by_token.flatten(1))
    assert close(found[:, 1, : groups.routed], expected)


def test_what_the_padding_holds_changes_nothing(with_experts, make_batch):
    """But for the last bits: padding is routed, too, and the products of an expert have other shapes."""
    ids, mask = make_batch(LENGTHS)
    with attribution(with_experts) as attribute:
        found = [attribute(torch.where(mask.bool(), ids, other), mask) for other in (2, 77)]
        seen = attribute.seen
        attribute(ids, mask)
    assert close(*found)
    assert torch.equal(seen[0], attribute.seen[0])


def test_neurons_to_which_nothing_is_routed_have_relevance_0_and_may_be_masked(with_experts, make_batch):
    ids, mask = make_batch([6])
    groups = groups_of(with_experts.config)
    with attribution(with_experts) as attribute:
        relevance = attribute(ids, mask)[0]
        unseen = groups.spread(attribute.seen[0][0]) == 0
        whole = attribute.objective(ids, mask)
        assert unseen.any() and not unseen.all()
        assert (relevance[unseen] == 0).all()
        with masked(with_experts, NeuronSet.from_flags(unseen[None].numpy(), ["xx"]), "xx"):
            assert torch.equal(attribute.objective(ids, mask), whole)


def test_counts_are_as_before_after_an_error(make_model, make_batch):
    model = make_model("mixtral")
    with attribution(model) as attribute:
        attribute(*make_batch([5]))
        before = attribute.routed.clone()
        with torch.no_grad():
            blocks(model)[1].experts.module.down_proj[:, 0, 0] = torch.nan
        with pytest.raises(RelevanceError):
            attribute(*make_batch(LENGTHS))
        for one, two in zip(attribute.routed[1:4], before[1:4], strict=True):
            assert torch.equal(one, two)
        assert attribute.routed.total == before.total == 1


# Rules ---------------------------------------------------------------------------------------------------


def test_clamped_neurons_share_their_relevance():
    """Half to the gate, half to up and the 1, beyond the bounds, too; all to up if the gate is constant."""
    generator = torch.Generator().manual_seed(0)
    gate, up = (3 * torch.randn(500, generator=generator, dtype=torch.float64) for _ in range(2))
    gate[:3], up[:3] = torch.tensor([0.0, -1e-30, 1e-30]), torch.tensor([0.0, 1e-30, -1e-30])
    clamps = Clamps(1.5, 1.7)
    low, within = gate.clamp(max=1.5), up.clamp(-1.5, 1.5)
    expected = (within + 1) * low * torch.sigmoid(1.7 * low)
    for constant in (False, True):
        inputs = [x.clone().requires_grad_() for x in (gate, up)]
        found = clamped_product(*inputs, lambda: expected.clone(), clamps, constant_gate=constant)
        assert torch.equal(found, expected)
        found.sum().backward()
        at_gate, at_up = (x.detach() * x.grad for x in inputs)
        ones = inputs[1].grad / torch.where(up == 0, 1.0, within / torch.where(up == 0, 1.0, up))
        torch.testing.assert_close(at_gate, expected * (0.0 if constant else 0.5))
        torch.testing.assert_close(at_up + ones, expected * (1.0 if constant else 0.5))


@pytest.mark.parametrize("rules", ["attnlrp", "cp_lrp"])
@pytest.mark.parametrize("router", ["constant", "uniform"])
def test_the_self_test_passes_with_every_rule(with_experts, make_batch, rules, router):
    self_test(with_experts, *make_batch([11, 4, 8]), rules=rules, router=router, neurons=5)


def test_experts_without_their_rule_are_noticed(monkeypatch, make_model, make_batch):
    monkeypatch.setattr("crane.relevance.lrp.install_in_experts", lambda *_: None)
    with pytest.raises(RelevanceError, match=r"half of the intermediate|conserved inside"):
        self_test(make_model("mixtral"), *make_batch([11, 4]), neurons=5)


@pytest.mark.parametrize("name", ["gate_up_proj_bias", "down_proj_bias"])
def test_a_bias_that_is_left_out_is_noticed(monkeypatch, make_model, make_batch, name):
    real = ExpertRecorder._bias
    monkeypatch.setattr(ExpertRecorder, "_bias", lambda self, at: None if at == name else real(self, at))
    with pytest.raises(RelevanceError, match="conserved inside an MLP"):
        self_test(make_model("gpt_oss"), *make_batch([11, 4]), neurons=5)


def test_samples_that_are_routed_otherwise_in_a_batch_are_left_out(monkeypatch, make_model, make_batch):
    """Where experts are as good as equal, the last bits decide, and they depend on the batch."""
    from crane.relevance.passage import Passage

    real = Passage.seen
    monkeypatch.setattr(
        Passage, "seen", lambda self: real(self) + (len(self.lengths) == 1) * (self.lengths[0] == 4)
    )
    measured = self_test(make_model("mixtral"), *make_batch([11, 4, 8]), neurons=5)
    assert measured["samples routed otherwise in a batch"] == 1
    assert "batched relevance differs from one by one" in measured
